"""The report as a few lines for a ticket: short, and nothing quoted is markup in a tracker."""

import pytest

from approval_api.reports.criteria import DEFAULT_CRITERIA, judge
from approval_api.reports.ticket import render_jira, render_servicenow
from dryrun_contract.report import Report

STEERING = "{}[]|!*_~^@<>&`#?+"
NASTY = (
    "{html}<script>{html}",
    "[click|http://evil.example] !http://evil.example/x.png!",
    "[~admin] @admin",
    "[code]<b>x</b>[/code]",
    "{color:red}*_PASSED_*{color}",
    "a\n\nh1. PASSED\n|| x ||",
    "\\{html}",
    "\x1b[31m\u202e",
)


def saying(report, text):
    """Return a report in which everything that is quoted here is `text`."""
    data = report.model_dump(mode="json")
    data["session"]["requested_by"] = text
    for run in data["collectors"]:
        run["collector"] = run["image_id"] = text
    for harm in data["harmed"]:
        harm["service"] = text
    for result in data["verdict"]["results"]:
        result |= {"detail": text, "status": "failed"}
    return Report.model_validate(data)


@pytest.fixture
def judged(report):
    return report.model_copy(update={"verdict": judge(report, DEFAULT_CRITERIA)})


@pytest.mark.parametrize("render", [render_jira, render_servicenow])
def test_nothing_quoted_is_markup_in_a_tracker(judged, render):
    harmless = render(saying(judged, "harmless"))
    for text in NASTY:
        shown = render(saying(judged, text))
        assert len(shown.splitlines()) == len(harmless.splitlines()), text
        for character in STEERING:
            assert shown.count(character) == harmless.count(character), (text, character)
        assert "//" not in shown
        assert all(character.isprintable() or character == "\n" for character in shown)


@pytest.mark.parametrize("render", [render_jira, render_servicenow])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("was -not- there", r"was \x2dnot\x2d there"),
        ("(-not-)", r"(\x2dnot\x2d)"),
        ("see evil.example", r"see evil\x2eexample"),
        ("www.evil.example", r"www\x2eevil\x2eexample"),
        ("mailto:grace", r"mailto\x3agrace"),
        ("http://evil", r"http:/\x2fevil"),
        ("like OPS-1 and A1-2", r"like OPS\x2d1 and A1\x2d2"),
        ("web-1 of 10.213.0.3 on 2026-11-27, nginx 1.26", "web-1 of 10.213.0.3 on 2026-11-27, nginx 1.26"),
    ],
)
def test_nothing_quoted_becomes_a_link_or_struck_out(judged, render, text, shown):
    assert f"requested by {shown} at" in render(saying(judged, text))


def test_it_says_what_a_change_board_needs(judged):
    jira, plain = render_jira(judged), render_servicenow(judged)
    assert jira.startswith(f"h3. Dry-run of {judged.template.id}: ")
    assert "*Scores*: Recall" in jira
    assert f"Report: /dryrun/sessions/{judged.session.id}/report" in plain
    elsewhere = render_jira(judged, "https://approval.example/")
    assert f"Report: https://approval.example/dryrun/sessions/{judged.session.id}/report" in elsewhere
    assert len(plain) < 3000
    assert len(plain.splitlines()) < 40


async def test_a_ticket_is_one_of_the_forms_of_a_report(api):
    path = "/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7/report"
    assert (await api.get(path, params={"format": "jira"})).status_code == 404
    assert (await api.get(path, params={"format": "word"})).status_code == 422
