"""Fixtures of the attack suite: one laboratory for all vectors, and a judge that looks before and after."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from guard_lab import Lab, open_lab

POLICY = {"sweep_seconds": 1, "removal_seconds": 3, "sessions": 60, "containers": 2000}
"""Room for what others run on the same engine; its ceilings are attacked by a guard of their own."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    # One guard for the whole suite: a second one would also end what is past its deadline.
    with open_lab(policy=POLICY) as opened:
        yield opened
