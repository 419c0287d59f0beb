from datetime import date

import pytest

from approval_api.reports.criteria import DEFAULT_CRITERIA, AverageLimits, judge
from approval_api.reports.html import render_html_file
from approval_api.reports.markdown import render
from dryrun_contract import event as words
from dryrun_contract.census import Census, CensusClass, ClassService, ServiceCount
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Outcome, Phase
from dryrun_contract.template import Levels, StandsFor


async def test_each_collector_is_scored_alone_beside_all_together(report):
    alone = {one.collector: {row.name: row for row in one.rows} for one in report.collector_scores}
    assert alone["network"]["host"].true_positives == 1
    assert alone["nmap"]["host"].true_positives == 1
    assert "database" not in alone["nmap"]
    together = {row.name: row for row in report.scores.rows}
    assert together["host"].true_positives == 2


async def test_what_a_collector_for_comparison_finds_counts_in_its_own_column_only(
    report, report_of, story_events
):
    beside = await report_of(
        [
            (at, data.model_copy(update={"purpose": "comparison"}))
            if isinstance(data, words.CollectorStarted) and data.collector == "nmap"
            else (at, data)
            for at, data in story_events()
        ]
    )
    assert {run.collector: run.purpose for run in beside.collectors} == {
        "network": "discovery",
        "nmap": "comparison",
    }
    together = {row.name: row for row in beside.scores.rows}
    assert together["host"].true_positives == 1
    assert together["host"].false_negatives == 2
    assert beside.scores.false_positives == ()
    assert {each for one in beside.scores.found for each in one.collectors} == {"network"}
    assert beside.collector_scores == report.collector_scores
    assert (beside.harmed, beside.traffic) == (report.harmed, report.traffic)
    assert beside.forecast.lines == report.forecast.lines
    assert {*beside.forecast.assumptions} - {*report.forecast.assumptions} == {
        "every collector of this session runs there, also those for comparison"
    }


async def test_the_logs_and_digests_of_the_session_are_in_its_report(report):
    assert report.logs["db"].counts["failed_logins"] == 3
    assert report.logs["web"].counts["failed_logins"] is None
    assert all(run.config_digest.startswith("sha256:") for run in report.collectors)


async def test_a_session_of_an_older_orchestrator_has_a_report_without_logs(report_of, story_events):
    happened = [(at, data) for at, data in story_events() if not isinstance(data, words.TargetLogsMeasured)]
    report = await report_of(happened)
    assert report.logs is None
    assert report.forecast is not None


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.EXPIRED, Outcome.FAILED])
async def test_a_session_that_ended_before_its_scan_has_no_scores(report_of, story_events, outcome):
    happened = [(at, data) for at, data in story_events() if not isinstance(data, words.TrafficMeasured)]
    report = await report_of(happened, phase=Phase.ENDED, outcome=outcome)
    assert report.scores is None
    assert "before its scan was over" in report.scores_missing
    assert (await report_of(story_events(), phase=Phase.ENDED, outcome=outcome)).scores is not None


async def test_a_report_about_a_replica_says_which_network_it_stands_for(report):
    known = StandsFor(
        made_from="a scan by nmap <b>",
        made_on=date(2026, 11, 26),
        hosts=1200,
        levels=Levels(same_version=60, same_product=11, relative=9, banner=6, nothing=4),
    )
    about = report.model_copy(update={"template": report.template.model_copy(update={"stands_for": known})})
    line = (
        "2026-11-26: 71 of 90 services stand on real software, 9 on a relative, 6 on a banner, 4 on nothing"
    )
    for written in (render(about), render_html_file(about)):
        assert "Stands for a network of 1,200 hosts" in written
        assert line in written
        assert "<b>," not in written
    assert "Stands for" not in render(report)


async def test_a_report_of_a_fleet_says_where_each_target_stood_and_who_could_read_along(
    report_of, story_events
):
    reason = "1 on alpha, 1 on beta, collectors on alpha: alpha has room for 3"
    placed = words.SessionPlaced(
        targets={"alpha": 1, "beta": 1}, collectors="alpha", encrypted=False, reason=reason
    )
    happened = [
        (at, data.model_copy(update={"host": "beta"}) if isinstance(data, words.TargetChanged) else data)
        for at, data in story_events()
    ]
    happened.insert(1, (happened[0][0], placed))
    of_fleet, report = await report_of(happened), await report_of(story_events())
    assert {image.host for image in of_fleet.images} == {"beta"}
    assert of_fleet.placement.reason == reason
    text = render(of_fleet)
    assert f"Hosts: `{reason}`. Traffic between the hosts was not encrypted." in text
    # But for hosts, it is the same report.
    alone = {"images", "placement"}
    assert of_fleet.model_dump(exclude=alone) == report.model_dump(exclude=alone)
    assert report.placement is None
    assert "Hosts:" not in render(report)


def providing(happened, **provides):
    """Return the story with what each collector's manifest says it discovers."""
    return [
        (at, data.model_copy(update={"provides": provides.get(data.collector)}))
        if isinstance(data, words.CollectorStarted)
        else (at, data)
        for at, data in happened
    ]


async def test_a_kind_that_no_collector_discovers_is_missed_and_the_report_says_why(
    report, report_of, story_events
):
    tables = {each.key for each in report.scores.false_negatives if each.kind == "table"}
    assert tables
    of_network = ("certificate", "database", "host", "service")
    partly = await report_of(providing(story_events(), network=of_network, nmap=("host", "service")))
    assert partly.scores.not_looked_for == {"table": len(tables)}
    assert partly.scores.model_copy(update={"not_looked_for": {}}) == report.scores
    assert partly.collector_scores == report.collector_scores
    assert "Missed because no scored collector looks for it" in render(partly)
    every = AverageLimits(recall_min=0.1, precision_min=0.1, f1_min=0.1, coverage_min=0.1)
    criteria = DEFAULT_CRITERIA.model_copy(update={"overall": every})
    overall = [each for each in judge(partly, criteria).results if each.criterion.startswith("overall.")]
    assert overall
    named = {
        each.criterion for each in overall if each.detail.endswith("; no scored collector looks for table")
    }
    assert named == {"overall.recall_min", "overall.f1_min"}
    assert "no scored collector" not in render(report)


DB = ClassService(place="5432/tcp", level="same_version", product="PostgreSQL DB")
KNOWN = StandsFor(
    made_from="a table",
    made_on=date(2026, 11, 26),
    hosts=10,
    levels=Levels(same_version=10, same_product=0, relative=0, banner=0, nothing=0),
    weights={"db": 10},
    census=Census(
        network="n0123456789abcdef",
        classes=(CensusClass(name="db-a", hosts=10, targets=("db",), services=(DB,)),),
        services=(ServiceCount(**DB.model_dump(), count=10),),
    ),
)


async def test_what_to_expect_of_a_network_leaves_out_what_nobody_looks_for(report_of, story_events):
    of_network = ("certificate", "database", "host", "service")
    said = providing(story_events(), network=of_network, nmap=("host", "service"))
    partly = await report_of(said, stands_for=KNOWN)
    assert "table" not in {each.kind for each in partly.network_forecast.inside}
    all_kinds = await report_of(story_events(), stands_for=KNOWN)
    assert "table" in {each.kind for each in all_kinds.network_forecast.inside}


async def test_every_kind_counts_while_a_collector_has_not_said_what_it_discovers(
    report, report_of, story_events
):
    of_network = ("host", "service")
    older = await report_of(providing(story_events(), network=of_network))
    assert older.scores == report.scores
    said = providing(story_events(), network=of_network, nmap=of_network)
    chosen = ScanChoice(collectors=("network", "nmap", "database"))
    without_start = await report_of(said, scan=chosen)
    assert without_start.scores == report.scores


async def test_a_kind_that_was_reported_counts_whatever_the_manifests_say(report_of, story_events):
    # `network` reports a database in this story.
    report = await report_of(providing(story_events(), network=("host",), nmap=("host",)))
    assert {"database", "service"} <= {row.kind for row in report.scores.rows}
    assert set(report.scores.not_looked_for) == {"table"}
