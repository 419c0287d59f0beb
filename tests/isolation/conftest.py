"""What the tests of isolation share."""

from collections.abc import Iterator

import pytest
from network_lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A bridge with a session's machines, and the host around it; removed with the test."""
    built = Lab()
    try:
        yield built
    finally:
        built.remove()
