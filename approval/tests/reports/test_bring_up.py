"""The picture of where the time went until every target was ready."""

from datetime import timedelta

from approval_api.reports.html import render_html_file
from approval_api.reports.markdown import render
from approval_api.reports.view.blocks import MAX_BARS
from approval_api.reports.view.bring_up import TITLE, bring_up
from dryrun_contract.event import BringUpSpan


def span(step, service, begin, seconds):
    return BringUpSpan(step=step, service=service, begin=begin, seconds=seconds)


def drawn(bar):
    """Where each visible part of a bar begins and ends."""
    at, parts = 0.0, []
    for part in bar.segments:
        if part.tone != "gap":
            parts.append((part.label, round(at, 3), round(at + part.value, 3)))
        at += part.value
    return parts


def test_each_step_stands_where_it_happened():
    spans = [
        span("network", None, 0.2, 0.1),
        span("create", "web", 0.3, 0.02),
        span("start", "web", 0.6, 0.4),
        span("health", "web", 1.0, 0.5),
    ]
    network, web = bring_up(spans).bars
    assert drawn(network) == [("network", 0.2, 0.3)]
    assert drawn(web) == [("create", 0.3, 0.32), ("start", 0.6, 1.0), ("health", 1.0, 1.5)]
    assert (network.figure, web.figure) == ("0.10 s", "1.50 s")


def test_steps_that_overlap_follow_each_other():
    (web,) = bring_up([span("create", "web", 0, 0.5), span("start", "web", 0.2, 0.6)]).bars
    assert drawn(web) == [("create", 0, 0.5), ("start", 0.5, 0.8)]


def test_the_line_of_time_begins_with_the_request():
    request, network, web = bring_up(
        [span("network", None, 0, 0.1), span("start", "web", 0.2, 0.3)], 0.5
    ).bars
    assert (drawn(request), request.figure) == ([("request", 0, 0.5)], "0.50 s")
    assert drawn(network) == [("network", 0.5, 0.6)]
    assert (drawn(web), web.figure) == ([("start", 0.7, 1.0)], "1.00 s")


def test_a_report_shows_how_long_the_request_was_on_its_way(report):
    asked = report.session.requested_at
    accepted = report.session.model_copy(update={"accepted_at": asked + timedelta(seconds=0.25)})
    prepared = accepted.model_copy(update={"prepared_at": asked - timedelta(minutes=5)})
    # Targets that were prepared began before the request, and nothing is waited for.
    at_once = tuple(
        phase.model_copy(update={"seconds": 0.0}) if phase.phase == "waiting" else phase
        for phase in report.phases
    )
    whole = report.model_copy(update={"session": prepared, "phases": at_once})
    assert "hand over the request" not in render(whole)
    assert "network, isolation proof and targets date from then" in render(whole)
    assert "network and isolation proof date" in render(report.model_copy(update={"session": prepared}))
    for session, shown in (
        (report.session, False),
        (accepted, True),
        (prepared, True),
        (report.session.model_copy(update={"accepted_at": asked - timedelta(seconds=1)}), False),
        (report.session.model_copy(update={"accepted_at": None}), False),
        # It waited for a free place.
        (report.session.model_copy(update={"accepted_at": asked + timedelta(minutes=10)}), False),
    ):
        lines = render(report.model_copy(update={"session": session})).splitlines()
        assert [line for line in lines if "hand over the request" in line and "0.25 s" in line] or not shown
        assert shown or not [line for line in lines if "hand over the request" in line]


def test_without_a_trace_there_is_no_picture():
    assert bring_up(()) is None


def test_it_is_no_longer_than_any_chart():
    chart = bring_up([span("create", f"service {number}", number, 1) for number in range(MAX_BARS + 7)])
    assert (len(chart.bars), chart.hidden) == (MAX_BARS, 7)


def test_readers_of_html_and_text_see_every_target(report):
    page, words = render_html_file(report), render(report)
    assert TITLE in page
    assert "until healthy" in page
    assert [line for line in words.splitlines() if "web" in line and "1.42 s" in line]
    assert [line for line in words.splitlines() if "prove the isolation" in line and "0.15 s" in line]
