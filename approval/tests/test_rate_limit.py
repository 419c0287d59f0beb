"""Buckets: a burst, then a steady rate, each person their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approval_api.app import create_app
from approval_api.rate_limit import _MOST_BUCKETS, RateLimit


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
def test_no_more_than_burst_and_rate_allow_ever_go_through(pauses):
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


async def test_who_asks_too_often_is_told_when_to_come_back_and_the_others_are_served(
    settings, orchestrator, serving
):
    few = settings.model_copy(update={"requests_per_second": 0.1, "requests_burst": 3})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        codes = [(await api.get("/criteria")).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        answer = await api.get("/criteria")
        assert answer.json()["type"] == "urn:dryrun:problem:too-many-requests"
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        bob = {"Authorization": "Bearer another-token-of-the-tests"}
        assert (await api.get("/criteria", headers=bob)).status_code == 200
        assert (await api.client.get("/livez")).status_code == 200
        strangers = [(await api.get("/criteria", headers={"Authorization": "Bearer x"})) for _ in range(4)]
        assert [answer.status_code for answer in strangers] == [401, 401, 401, 429]
