import pytest
from pydantic import ValidationError

from approval_api.reports.collector_criteria import CollectorLimits
from approval_api.reports.criteria import DEFAULT_CRITERIA, AverageLimits, Criteria, RowLimits, judge
from approval_api.reports.criterion_results import at_least, at_most
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import DiscoveryReported, TargetLogs
from dryrun_contract.ground_truth import Fact


def found(collector, kind, key, **data):
    discovery = Discovery(kind=kind, key=key, data=data)
    return DiscoveryReported(collector=collector, run=f"{collector}-1", line=1, discovery=discovery)


@pytest.mark.parametrize(("limit", "status"), [(2, "failed"), (3, "passed")])
async def test_failed_logins_are_summed_over_the_targets_whose_logs_show_them(report, limit, status):
    (result,) = judge(report, Criteria(failed_logins_max=limit)).results
    assert (result.status, result.measured) == (status, 3)
    assert "1 of 2 targets; the others' do not show failed logins" in result.detail
    alone = {name: logs for name, logs in report.logs.items() if logs.counts.get("failed_logins") is not None}
    (result,) = judge(report.model_copy(update={"logs": alone}), Criteria(failed_logins_max=limit)).results
    assert result.detail.endswith("(in the logs of 1 of 1 targets)")


async def test_failed_logins_that_no_log_could_show_do_not_pass(report):
    silent = report.model_copy(update={"logs": {"web": report.logs["web"]}})
    for logs in (silent, report.model_copy(update={"logs": None})):
        (result,) = judge(logs, Criteria(failed_logins_max=100)).results
        assert result.status == "not_measured"


@pytest.mark.parametrize(("limit", "status"), [(2, "failed"), (3, "not_measured")])
@pytest.mark.parametrize("partial", [{"truncated": True}, {"note": "the orchestrator was restarted"}])
async def test_failed_logins_have_a_limit_that_a_log_read_in_part_does_not_keep(
    report, limit, status, partial
):
    logs = report.logs | {"db": report.logs["db"].model_copy(update=partial)}
    (result,) = judge(report.model_copy(update={"logs": logs}), Criteria(failed_logins_max=limit)).results
    assert (result.status, result.measured) == (status, 3)
    assert (status == "failed") is not result.detail.startswith("at least 3: a log was not searched")


@pytest.mark.parametrize(("limit", "status"), [(2, "failed"), (3, "not_measured")])
async def test_failed_logins_have_a_limit_that_a_log_not_searched_for_them_does_not_keep(
    report, limit, status
):
    logs = report.logs | {"web": report.logs["web"].model_copy(update={"not_searched": ("failed_logins",)})}
    (result,) = judge(report.model_copy(update={"logs": logs}), Criteria(failed_logins_max=limit)).results
    assert (result.status, result.measured) == (status, 3)
    assert result.detail.endswith("(in the logs of 1 of 2 targets; 1 more could not be searched for them)")


def test_a_figure_is_never_rounded_to_the_other_side_of_its_limit():
    assert at_least("recall", 0.8, 0.79996, "").detail == "0.799960, at least 0.8 required"
    assert at_least("recall", 0.8, 0.8004, "").detail == "0.800, at least 0.8 required"
    assert at_most("peak", 1_234_566, 1_234_567.5).detail == "1,234,567.5, at most 1,234,566 allowed"


def suffered(report, **targets):
    logs = {
        name.replace("_", "-"): TargetLogs(counts={}, lines=0, side_effects=effects, truncated=truncated)
        for name, (effects, truncated) in targets.items()
    }
    return report.model_copy(update={"logs": logs})


@pytest.mark.parametrize(
    ("effects", "truncated", "status"),
    [
        ({"pages_printed": 3}, False, "failed"),
        ({"pages_printed": 2}, False, "passed"),
        # More than it may be is too many, whatever else the log holds.
        ({"pages_printed": 3}, True, "failed"),
        ({"pages_printed": 2}, True, "not_measured"),
        ({"pages_printed": None}, False, "not_measured"),
        ({"restarts": 0}, False, "not_measured"),
    ],
)
async def test_a_side_effect_has_a_limit_that_an_unread_log_does_not_keep(report, effects, truncated, status):
    judged = suffered(report, printer=(effects, truncated))
    (result,) = judge(judged, Criteria(pages_printed_max=2)).results
    assert result.status == status


@pytest.mark.parametrize(
    ("targets", "status"),
    [
        ({"printer": ({"pages_printed": 0}, False), "plc": ({"restarts": 0}, False)}, "passed"),
        ({"printer": ({"pages_printed": 0}, False), "plc": ({"restarts": 1}, False)}, "failed"),
        ({"printer": ({"pages_printed": 0}, True), "plc": ({"restarts": 1}, False)}, "failed"),
        ({"printer": ({"pages_printed": 0}, True), "plc": ({"restarts": 0}, False)}, "not_measured"),
        ({"printer": ({"pages_printed": None}, False), "plc": ({"restarts": 0}, False)}, "not_measured"),
        ({"web": ({}, False)}, None),
    ],
)
async def test_by_default_nothing_may_happen_to_a_target_that_can_suffer_it(report, targets, status):
    verdict = judge(suffered(report, **targets), DEFAULT_CRITERIA)
    found = {result.criterion: result for result in verdict.results}
    assert status == (found["no_side_effects"].status if "no_side_effects" in found else None)
    if status == "failed":
        assert "1 restarts" in found["no_side_effects"].detail


async def test_without_logs_nobody_knows_that_nothing_happened(report):
    verdict = judge(report.model_copy(update={"logs": None}), DEFAULT_CRITERIA)
    found = {result.criterion: result for result in verdict.results}
    assert found["no_side_effects"].status == "not_measured"
    assert not verdict.passed


async def test_an_attribute_of_several_kinds_is_asked_of_each(report_of, story_events):
    truth = (
        Fact(kind="service", key="web:80/tcp", data={"version": "1.0"}),
        Fact(kind="web_app", key="web:80/tcp", data={"version": "2"}),
    )
    said = [(8, found("nmap", kind, "10.213.0.4:80/tcp", version="1")) for kind in ("service", "web_app")]
    report = await report_of([*story_events(), *said], truth=truth)

    def judged(name):
        verdict = judge(report, Criteria(kinds={name: RowLimits(recall_min=1)}))
        return {result.criterion: result.status for result in verdict.results}

    assert judged("version") == {
        "kinds.service.version.recall_min": "passed",
        "kinds.web_app.version.recall_min": "failed",
    }
    assert judged("web_app.version") == {"kinds.web_app.version.recall_min": "failed"}
    assert judged("directory.vendor") == {"kinds.directory.vendor.recall_min": "not_measured"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("hosts", "did you mean host?"),
        ("service.verison", "did you mean service.version?"),
        ("\x1b", "known are host"),
    ],
)
def test_a_name_that_no_row_has_is_refused(name, hint):
    with pytest.raises(ValidationError, match="is neither a kind nor an attribute") as raised:
        Criteria(kinds={name: RowLimits(recall_min=1)})
    assert hint in str(raised.value)
    assert "\x1b" not in raised.value.errors()[0]["msg"]


async def test_a_figure_without_hard_cases_says_so(report):
    for hard, stated in ((False, True), (True, False)):
        criteria = Criteria(overall=AverageLimits(recall_min=0.1), hard_facts=hard)
        (result,) = judge(report, criteria).results
        assert ("hard cases left out" in result.detail) is stated


def for_comparison(happened, *, complete=True):
    """Return the story with nmap for comparison, and cut when not `complete`."""
    changes = {
        "collector_started": {"purpose": "comparison"},
        "collector_ended": {"complete": complete, "reason": "it did not end within 60 s"},
    }
    return [
        (at, data.model_copy(update=changes.get(data.type, {})))
        if getattr(data, "collector", None) == "nmap"
        else (at, data)
        for at, data in happened
    ]


@pytest.mark.parametrize("complete", [True, False])
async def test_a_comparison_that_was_cut_does_not_fail_the_scan(report_of, story_events, complete):
    report = await report_of(for_comparison(story_events(), complete=complete))
    (result,) = judge(report, Criteria(complete_scan=True)).results
    others = all(run.complete for run in report.collectors if run.purpose == "discovery")
    assert result.measured is others
    assert "those for comparison are left out" in result.detail
    (own,) = judge(report, Criteria(collectors={"nmap": CollectorLimits(complete=True)})).results
    assert (own.criterion, own.measured) == ("collectors.nmap.complete", complete)


async def test_a_scan_by_collectors_for_comparison_alone_says_so(report_of, story_events):
    report = await report_of(for_comparison(story_events()))
    compared = tuple(run for run in report.collectors if run.purpose == "comparison")
    for runs, why in ((compared, "only collectors for comparison ran"), ((), "no collector ran")):
        (result,) = judge(
            report.model_copy(update={"collectors": runs}), Criteria(complete_scan=True)
        ).results
        assert (result.status, result.detail) == ("not_measured", why)


async def test_each_collector_can_have_criteria_of_its_own(report_of, story_events):
    report = await report_of(for_comparison(story_events()))
    own = next(one for one in report.collector_scores if one.collector == "nmap")
    limits = CollectorLimits(recall_min=0.01, f1_min=1, false_positives_max=0, wrong_values_max=100)
    verdict = judge(report, Criteria(collectors={"nmap": limits, "absent": CollectorLimits(recall_min=0)}))
    results = {result.criterion: result for result in verdict.results}
    assert results["collectors.nmap.recall_min"].measured == own.overall.recall
    assert results["collectors.nmap.false_positives_max"].measured == len(own.false_positives)
    assert results["collectors.nmap.wrong_values_max"].measured == len(own.wrong_values)
    assert results["collectors.absent.recall_min"].status == "not_measured"
    assert not verdict.passed
