"""Deadlines only move earlier, and remembering many costs little."""

import time
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from docker_guard.refusal import Refusal
from docker_guard.rules.policy import Policy
from docker_guard.sessions.deadlines import MOST_REMEMBERED, Deadlines


class Clocks:
    """A wall clock that may be set, and a monotonic one that may not."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 1, 31, 12, tzinfo=UTC)
        self.steady = 100.0

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds

    def in_seconds(self, seconds: float) -> str:
        return (self.wall + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def deadlines(clocks: Clocks) -> Deadlines:
    return Deadlines(Policy(), lambda: clocks.wall, lambda: clocks.steady)


def test_a_deadline_passes(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.pass_by(59)
    assert not deadlines.is_over("s")
    clocks.pass_by(1)
    assert deadlines.is_over("s")


def test_a_clock_set_back_prolongs_nothing(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.wall -= timedelta(hours=3)
    clocks.steady += 60
    assert deadlines.is_over("s")


def test_a_clock_set_forward_ends_the_session(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.wall += timedelta(seconds=61)
    assert deadlines.is_over("s")
    clocks.wall -= timedelta(seconds=61)
    assert deadlines.is_over("s")


@pytest.mark.parametrize("label", [None, "", "soon", "2026-01-31 13:00:00Z", "2026-01-31T13:00:00+00:00"])
def test_an_unreadable_deadline_ends_after_the_longest_time(deadlines, clocks, label):
    deadlines.observe("s", label)
    clocks.pass_by(1799)
    assert not deadlines.is_over("s")
    clocks.pass_by(1)
    assert deadlines.is_over("s")


def test_a_far_deadline_ends_after_the_longest_time_and_by_the_networks_age(deadlines, clocks):
    deadlines.observe("far", "2099-01-01T00:00:00Z")
    deadlines.observe("old", "2099-01-01T00:00:00Z", clocks.wall + timedelta(seconds=10))
    clocks.pass_by(10)
    assert (deadlines.is_over("far"), deadlines.is_over("old")) == (False, True)
    clocks.pass_by(1790)
    assert deadlines.is_over("far")


def test_a_later_deadline_changes_nothing_and_an_earlier_one_does(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    deadlines.observe("s", clocks.in_seconds(600))
    with pytest.raises(Refusal):
        deadlines.check_unmoved("s", clocks.in_seconds(600))
    deadlines.observe("s", clocks.in_seconds(10))
    clocks.pass_by(10)
    assert deadlines.is_over("s")


def test_a_session_is_remembered_after_its_end_and_forgotten_in_time(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.pass_by(61)
    deadlines.forget(keep=())
    with pytest.raises(Refusal):
        deadlines.check_unmoved("s", clocks.in_seconds(60))
    clocks.pass_by(1800)
    deadlines.forget(keep=("s",))
    assert deadlines.is_over("s")
    deadlines.forget(keep=())
    deadlines.check_unmoved("s", clocks.in_seconds(60))


def test_ended_sessions_are_remembered_up_to_a_ceiling_and_cost_little(deadlines, clocks):
    for number in range(MOST_REMEMBERED + 500):
        deadlines.observe(f"s{number}", clocks.in_seconds(600 + number / 100))
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        deadlines.forget(keep={"s0"})
        deadlines.next_end(after=clocks.steady)
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.01
    assert len(deadlines._known) == MOST_REMEMBERED
    deadlines.check_unmoved("s1", clocks.in_seconds(700))  # of those that end first
    for kept in ("s0", f"s{MOST_REMEMBERED}"):
        with pytest.raises(Refusal):
            deadlines.check_unmoved(kept, clocks.in_seconds(1700))


def test_the_next_end_is_the_first_after_a_moment(deadlines, clocks):
    assert deadlines.next_end(after=0) == inf
    for seconds in (60, 20, 40):
        deadlines.observe(f"s{seconds}", clocks.in_seconds(seconds))
    assert deadlines.next_end(after=clocks.steady) == clocks.steady + 20
    assert deadlines.next_end(after=clocks.steady + 20) == clocks.steady + 40


def test_a_new_session_that_ends_before_the_next_sweep_wakes_the_keeper(deadlines, clocks):
    called = []
    deadlines.watch(clocks.steady + 30, lambda: called.append("hurry"))
    deadlines.observe("far", clocks.in_seconds(31))
    assert called == []
    deadlines.observe("near", clocks.in_seconds(29))
    deadlines.observe("near", clocks.in_seconds(29))
    assert called == ["hurry"]
