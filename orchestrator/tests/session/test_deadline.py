from datetime import UTC, datetime, timedelta

from dryrun_orchestrator.session.deadline import Deadline

START = datetime(2026, 5, 1, tzinfo=UTC)


class Clocks:
    def __init__(self):
        self.wall = START
        self.monotonic = 1000.0

    def pass_time(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds


def a_deadline(clocks):
    return Deadline(lambda: clocks.wall, lambda: clocks.monotonic)


def test_it_passes_when_its_moment_comes():
    clocks = Clocks()
    deadline, moment = a_deadline(clocks), START + timedelta(seconds=10)
    assert not deadline.has_passed(moment)
    clocks.pass_time(9)
    assert not deadline.has_passed(moment)
    clocks.pass_time(1)
    assert deadline.has_passed(moment)


def test_a_clock_set_back_does_not_put_it_off():
    clocks = Clocks()
    deadline, moment = a_deadline(clocks), START + timedelta(seconds=10)
    assert not deadline.has_passed(moment)
    clocks.wall -= timedelta(hours=1)
    clocks.pass_time(10)
    assert deadline.has_passed(moment)


def test_a_clock_set_forward_brings_it_nearer():
    clocks = Clocks()
    deadline, moment = a_deadline(clocks), START + timedelta(seconds=10)
    assert not deadline.has_passed(moment)
    clocks.wall += timedelta(hours=1)
    assert deadline.has_passed(moment)
