"""Counting what reports say of each fact: right, wrong, missing, refused."""

from types import SimpleNamespace as Made

import pytest

from dryrun_contract.ground_truth import Fact, GroundTruth
from dryrun_local.ci.counting import ArmCount, runs_of_facts

TRUTH = GroundTruth(
    facts=(
        Fact(kind="host", key="web"),
        Fact(kind="service", key="web:80/tcp", data={"product": ["nginx"], "version": "1.26"}),
        Fact(kind="table", key="db:5432/tcp/shop/t", data={"columns": ["id"]}),
        Fact(kind="management_board", key="board", data={"firmware": "7"}),
    )
)


def report(found=(), wrong=(), missing=(), complete=True, status="passed"):
    run = {
        "collector": "ours",
        "purpose": "discovery",
        "image": "discovery/x:1",
        "image_id": "sha256:" + "0" * 64,
    }
    return Made(
        scores=Made(
            found=[Made(kind=kind, key=key, data=data) for kind, key, data in found],
            wrong_values=[Made(kind=k, key=key, attribute=a, found=value) for k, key, a, value in wrong],
            false_negatives=[
                Made(kind=kind, key=key, attribute=attribute) for kind, key, attribute in missing
            ],
        ),
        scores_missing=None,
        collectors=[Made(**run, complete=complete)],
        verdict=Made(results=[Made(criterion="scope", status=status, detail="kept")]),
        phases=[Made(phase="scanning", seconds=8.0)],
    )


def counted(*reports):
    arm = ArmCount()
    for each in reports:
        arm.add("small", TRUTH, each)
    return arm, {key[1:]: (tally.found, tally.of, dict(tally.values)) for key, tally in arm.facts.items()}


SERVICE = ("service", "web:80/tcp", {"product": "nginx", "version": "1.26", "cpe": "cpe:/a:nginx"})


def test_right_wrong_and_missing_values_are_distinguished():
    _, facts = counted(
        report([SERVICE]),
        report([SERVICE], wrong=[("service", "web:80/tcp", "version", "1")]),
        report(
            [("service", "web:80/tcp", {"version": "1.26"})], missing=[("service", "web:80/tcp", "product")]
        ),
        report([], missing=[("service", "web:80/tcp", None)]),
    )
    assert facts["service", "web:80/tcp", ""] == (3, 4, {})
    assert facts["service", "web:80/tcp", "product"] == (2, 4, {"nginx": 2})
    assert facts["service", "web:80/tcp", "version"] == (2, 4, {"1.26": 2, "1": 1})
    assert ("service", "web:80/tcp", "cpe") not in facts, "evidence is no fact"
    assert facts["host", "web", ""] == (0, 4, {})


def test_what_was_refused_counts_as_not_found():
    _, facts = counted(report([("table", "db:5432/tcp/shop/t", {"columns": ["id"]})]), report())
    assert facts["table", "db:5432/tcp/shop/t", ""] == (1, 2, {})
    assert facts["table", "db:5432/tcp/shop/t", "columns"] == (1, 2, {"id": 1})


def test_a_kind_without_a_row_is_counted_by_the_attributes_of_its_fact():
    _, facts = counted(report([("management_board", "board", {"firmware": "7"})]))
    assert facts["management_board", "board", "firmware"] == (1, 1, {"7": 1})


def test_a_scan_that_was_cut_is_a_fact_that_was_not_found():
    _, facts = counted(report(), report(complete=False))
    assert facts["scan", "complete", ""] == (1, 2, {})


def test_criteria_durations_and_what_ran_are_kept():
    arm, _ = counted(report(), report(status="failed"))
    assert arm.criteria == {"scope": [("passed", "kept"), ("failed", "kept")]}
    assert arm.seconds == [8.0, 8.0]
    assert arm.baseline().collectors["ours"].image == "discovery/x:1"


def test_a_report_without_scores_is_no_run():
    arm = ArmCount()
    with pytest.raises(ValueError, match="the scan was cut"):
        arm.add("small", TRUTH, Made(scores=None, scores_missing="the scan was cut"))
    assert arm.runs == 0


def test_text_that_no_file_can_hold_is_kept_in_another_form():
    _, facts = counted(report([("service", "web:80/tcp", {"product": "a\ud800b"})]))
    assert facts["service", "web:80/tcp", "product"] == (1, 1, {"a?b": 1})


def test_runs_of_a_fact_are_those_of_the_networks_in_which_it_is_true():
    only_host = GroundTruth(facts=TRUTH.facts[:1])
    runs = runs_of_facts({("small", 0): TRUTH, ("small", 1): only_host}, repetitions=3)
    assert runs["small", "host", "web", ""] == 6
    assert runs["small", "service", "web:80/tcp", "version"] == 3
