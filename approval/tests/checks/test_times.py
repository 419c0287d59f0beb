"""Times of places in a row, beside a plain list of them."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from approval_api.checks.times import Times


@given(data=st.data(), places=st.integers(1, 20))
def test_times_are_as_of_a_plain_list(data, places):
    times, plain = Times(places), [-inf] * places
    at = st.integers(0, places)
    for begin, end, time in data.draw(st.lists(st.tuples(at, at, st.integers(0, 9)), max_size=20)):
        times.raise_to(time, begin, end)
        plain[begin:end] = [max(time, each) for each in plain[begin:end]]
        for first in range(places):
            for last in range(first, places + 1):
                assert times.lowest(first, last) == min(plain[first:last], default=inf)
