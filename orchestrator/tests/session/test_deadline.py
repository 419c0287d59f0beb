from datetime import UTC, datetime, timedelta

from dryrun_orchestrator.session.deadline import Deadline

START = datetime(2026, 5, 1, tzinfo=UTC)
EXPIRES_AT = START + timedelta(seconds=10)


class Clocks:
    def __init__(self):
        self.wall = START
        self.monotonic = 1000.0

    def pass_time(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds


def a_deadline(clocks, longest=timedelta(minutes=30)):
    return Deadline(longest, lambda: clocks.wall, lambda: clocks.monotonic)


def seconds_left(deadline):
    return deadline.left(EXPIRES_AT).total_seconds()


def test_it_passes_when_its_moment_comes():
    clocks = Clocks()
    deadline = a_deadline(clocks)
    assert seconds_left(deadline) == 10
    clocks.pass_time(9)
    assert seconds_left(deadline) == 1
    clocks.pass_time(2)
    assert seconds_left(deadline) == -1


def test_a_clock_set_back_does_not_put_it_off():
    clocks = Clocks()
    deadline = a_deadline(clocks)
    assert seconds_left(deadline) == 10
    clocks.wall -= timedelta(hours=1)
    clocks.pass_time(10)
    assert seconds_left(deadline) == 0


def test_a_clock_set_forward_brings_it_nearer():
    clocks = Clocks()
    deadline = a_deadline(clocks)
    assert seconds_left(deadline) == 10
    clocks.wall += timedelta(hours=1)
    assert seconds_left(deadline) < 0


def test_a_clock_that_is_set_forward_and_back_again_keeps_what_was_nearer():
    clocks = Clocks()
    deadline = a_deadline(clocks)
    clocks.wall += timedelta(seconds=8)
    assert seconds_left(deadline) == 2
    clocks.wall -= timedelta(seconds=8)
    clocks.pass_time(1)
    assert seconds_left(deadline) == 1


def test_time_in_which_the_machine_sleeps_counts():
    clocks = Clocks()
    deadline = a_deadline(clocks)
    assert seconds_left(deadline) == 10
    clocks.wall += timedelta(seconds=11)  # the monotonic clock of Linux stands still meanwhile
    assert seconds_left(deadline) == -1


def test_of_a_clock_that_was_set_back_before_it_began_it_takes_no_more_than_the_longest():
    clocks = Clocks()
    clocks.wall -= timedelta(hours=1)
    deadline = a_deadline(clocks, timedelta(seconds=20))
    assert seconds_left(deadline) == 20
    clocks.pass_time(20)
    assert seconds_left(deadline) == 0
