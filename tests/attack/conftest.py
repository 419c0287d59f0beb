"""Fixtures of the attack suite: one laboratory for all vectors, and a judge that looks before and after."""

from collections.abc import Iterator

import pytest
from guard_lab import POLICY, Lab, open_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    # One guard for the whole suite: a second one would also end what is past its deadline.
    with open_lab(policy=POLICY) as opened:
        yield opened
