"""Two reports side by side."""

from uuid import UUID

import pytest
from scripted_session import ScriptedSession

from approval_api.reports.comparison import Figure, Thing, compare
from dryrun_contract import event as words
from dryrun_contract.discovery import Discovery
from dryrun_contract.ground_truth import Fact
from dryrun_contract.report import Report


@pytest.fixture
async def reports(api, orchestrator, eventually):
    scripted = []
    for finds_less in (True, False):
        one = ScriptedSession(orchestrator, UUID(await api.start()))
        one.whole(finds_less=finds_less)
        scripted.append(one)
    for one in scripted:

        async def has_ended(one=one):
            return (await api.get(f"/sessions/{one.id}")).json()["phase"] == "ended"

        await eventually(has_ended)
    return [Report.model_validate((await api.get(f"/sessions/{one.id}/report")).json()) for one in scripted]


async def test_what_only_one_session_found_is_listed_with_its_direction(reports):
    fewer, more = reports
    comparison = compare(fewer, more)
    assert comparison.same_template
    gained = Thing("database", "db:5432/tcp/shop"), Thing("table", "db:5432/tcp/shop/public/orders")
    named = {each.title: each for each in comparison.differences}
    assert named["Found only now"].things == gained
    assert named["Found only now"].good
    assert "No longer found" not in named
    back = {each.title: each for each in compare(more, fewer).differences}
    assert back["No longer found"].things == gained
    assert not back["No longer found"].good


async def test_figures_tell_better_from_worse(reports):
    fewer, more = reports
    verdicts = {figure.name: figure.verdict for figure in compare(fewer, more).figures}
    assert (verdicts["Recall"], verdicts["Missed"]) == ("good", "good")
    verdicts = {figure.name: figure.verdict for figure in compare(more, fewer).figures}
    assert (verdicts["Recall"], verdicts["Missed"]) == ("bad", "bad")
    same = compare(more, more)
    assert {figure.verdict for figure in (*same.figures, *same.kinds)} == {"same"}
    assert same.differences == ()


def test_a_figure_that_one_lacks_is_neither_better_nor_worse():
    figure = Figure("Recall", None, 0.9, "more", "ratio")
    assert (figure.difference, figure.verdict) == (None, "same")


@pytest.mark.parametrize(
    ("style", "hidden", "shown"), [("ratio", 0.004, 0.006), ("number", 0.4, 1.0), ("duration", 0.04, 0.06)]
)
def test_a_difference_too_small_to_show_is_none(style, hidden, shown):
    same, worse = (Figure("Figure", 1.0, 1.0 + more, "less", style) for more in (hidden, shown))
    assert (same.difference, same.verdict) == (0, "same")
    assert worse.verdict == "bad"


async def test_a_kind_for_each_discovery_makes_no_longer_comparison(report, report_of, story_events):
    things = [Discovery(kind=f"kind_{number}", key="10.213.0.3") for number in range(2000)]
    false_positives = [
        (8, words.DiscoveryReported(collector="nmap", run="nmap-1", line=line, discovery=thing))
        for line, thing in enumerate(things, 1)
    ]
    comparison = compare(report, await report_of([*story_events(), *false_positives]))
    assert {figure.name for figure in comparison.kinds} == {"host", "service", "database", "table"}
    assert comparison.other_kinds == 2000


async def test_a_kind_that_only_the_ground_truth_knows_is_compared(report_of):
    one = await report_of(truth=(Fact(kind="moon", key="db:5432/tcp/moon"),))
    comparison = compare(one, one)
    assert "moon" in {figure.name for figure in comparison.kinds}
    assert comparison.other_kinds == 0


def test_a_difference_that_a_clock_makes_is_neither_better_nor_worse():
    noisy = Figure("Peak packets/s on one target", 2593, 2596, "less", "number", noisy=True)
    assert (noisy.difference, noisy.verdict) == (3, "same")
    assert Figure("Peak packets/s on one target", 2593, 2900, "less", "number", noisy=True).verdict == "bad"


async def test_what_a_collector_for_comparison_found_is_a_difference_too(report_of, story_events):
    def beside(*, silent):
        for at, data in story_events():
            if getattr(data, "collector", None) != "nmap":
                yield at, data
            elif data.type == "collector_started":
                yield at, data.model_copy(update={"purpose": "comparison"})
            elif data.type != "discovery_reported" or not silent:
                yield at, data

    finds, silent = [await report_of(list(beside(silent=silent))) for silent in (False, True)]
    gained = compare(silent, finds)
    assert not gained.alike
    (difference,) = [each for each in gained.differences if each.title.startswith("nmap")]
    assert (difference.title, difference.count, difference.good) == (
        "nmap reported nothing before, and found this many otherwise",
        2,
        True,
    )
    assert {figure.name: figure.after for figure in gained.figures}["Recall of nmap"] is not None
    assert compare(finds, finds).alike
