"""Fixtures of the attack suite: one laboratory for all vectors, and a judge that looks before and after."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from guard_lab import POLICY, Lab, open_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    # One guard for the whole suite: a second one would also end what is past its deadline.
    with open_lab(policy=POLICY) as opened:
        yield opened
