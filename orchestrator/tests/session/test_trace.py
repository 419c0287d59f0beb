from datetime import UTC, datetime, timedelta

import pytest

from dryrun_contract.event import MAX_SPANS, BringUpTraced
from dryrun_orchestrator.session.trace import Trace

NOW = datetime(2026, 1, 31, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_counts_from_the_request_and_notes_the_wait_for_a_place():
    clock = Clock()
    trace = Trace(clock)
    trace.begin(NOW - timedelta(seconds=2), NOW)
    with trace.span("network"):
        clock.now += 0.5
    with trace.span("create", "web"):
        clock.now += 0.25
    spans = [(span.step, span.service, span.begin, span.seconds) for span in trace.event().spans]
    assert spans == [("queue", None, 0, 2), ("network", None, 2, 0.5), ("create", "web", 2.5, 0.25)]


def test_a_clock_that_was_set_back_makes_no_time_negative():
    trace = Trace(Clock())
    trace.begin(NOW + timedelta(hours=1), NOW)
    assert [(span.begin, span.seconds) for span in trace.event().spans] == [(0, 0)]


def test_a_step_that_fails_is_recorded_too():
    trace = Trace(Clock())
    with pytest.raises(ValueError, match="broken"), trace.span("probe"):
        int("broken")
    assert [span.step for span in trace.event().spans] == ["probe"]


def test_holds_no_more_than_an_event_may():
    trace = Trace(Clock())
    for _ in range(MAX_SPANS + 50):
        trace.add("create", "web", 0, 1)
    assert len(BringUpTraced.model_validate_json(trace.event().model_dump_json()).spans) == MAX_SPANS
