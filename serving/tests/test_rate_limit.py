"""Buckets: a burst, then a steady rate, each name its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_serving.rate_limit import _MOST_BUCKETS, RateLimit


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_burst_goes_through_and_then_a_steady_rate():
    clock = Clock()
    limit = RateLimit(10, 3, clock)
    assert [limit.wait("ada") for _ in range(3)] == [0, 0, 0]
    assert limit.wait("ada") == pytest.approx(0.1)
    assert limit.wait("bob") == 0
    clock.now += 0.1
    assert limit.wait("ada") == 0
    assert limit.wait("ada") > 0


@given(st.lists(st.floats(0, 5), max_size=100))
def test_never_more_than_burst_and_rate_allow_go_through(pauses):
    clock = Clock()
    limit = RateLimit(2, 5, clock)
    let_through = 0
    for pause in pauses:
        clock.now += pause
        let_through += limit.wait("ada") == 0
    assert let_through <= 5 + 2 * clock.now + 1e-6


def test_strangers_without_end_do_not_fill_the_memory():
    limit = RateLimit(1, 1, Clock())
    for number in range(_MOST_BUCKETS + 100):
        limit.wait(f"address {number}")
    assert len(limit._buckets) == _MOST_BUCKETS
