"""Results of experiments: what is claimed, what is not, and that neither depends on the order of runs."""

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approval_api.experiments.measure import FactResult, FalseReport, Measured, RowCounts
from approval_api.experiments.results import summarize
from approval_api.experiments.runs import Run
from dryrun_contract.experiment import ExperimentRequest

SERVICES = tuple(f"host{number}:{port}/tcp" for number in range(4) for port in (22, 80, 443))


def request(*arms, seeds=5, repetitions=3):
    return ExperimentRequest(
        name="x",
        templates=("small",),
        seeds=tuple(range(seeds)),
        repetitions=repetitions,
        collectors=dict.fromkeys(arms, ("network",)),
    )


def measured(found, versions=None, *, expected="4.6.2"):
    """One run that found these services, and versions where they are given."""
    facts = [
        FactResult(kind="service", key=key, fate="found" if key in found else "missed") for key in SERVICES
    ]
    for key, version in (versions or {}).items():
        right = version == expected
        facts.append(
            FactResult(
                kind="service",
                key=key,
                attribute="version",
                fate="found" if right else "missed",
                value=version,
                expected=None if right else expected,
            )
        )
    hits = sum(key in found for key in SERVICES)
    row = RowCounts(
        kind="service",
        attribute=None,
        true_positives=hits,
        false_positives=0,
        false_negatives=len(SERVICES) - hits,
    )
    return Measured(
        complete=True, rows=(row,), facts=tuple(facts), seconds=2.0, packets=100, failed_logins=0, harmed=0
    )


def runs(wanted, make):
    return [
        Run(arm.name, template, seed, repetition, make(arm.name, seed, repetition))
        for arm, template, seed, repetition in product(
            wanted.arms(), wanted.templates, wanted.seeds, range(wanted.repetitions)
        )
    ]


def test_a_lost_service_is_named_and_nothing_else_is():
    wanted = request("old", "new")

    def make(arm, seed, repetition):
        return measured(set(SERVICES) - ({"host1:80/tcp"} if arm == "new" else set()))

    results = summarize(wanted, runs(wanted, make))
    (contrast,) = results.contrasts
    (lost,) = contrast.differences
    assert (lost.judgement, lost.key, lost.found_by_baseline, lost.of_baseline) == (
        "lost",
        "host1:80/tcp",
        15,
        15,
    )
    assert (lost.found_by_arm, lost.of_arm) == (0, 15)
    (row,) = contrast.rows
    assert row.is_clear
    assert row.recall.value == pytest.approx(-1 / 12)
    assert results.unstable == ()


def test_a_version_that_one_reports_otherwise_is_listed_with_both_values():
    wanted = request("7.94", "7.98")

    def make(arm, seed, repetition):
        return measured(set(SERVICES), {"host0:22/tcp": "4.6.2" if arm == "7.94" else "4"})

    (contrast,) = summarize(wanted, runs(wanted, make)).contrasts
    (lost,) = contrast.differences
    assert (lost.judgement, lost.attribute, lost.expected) == ("lost", "version", "4.6.2")
    assert (lost.baseline_values, lost.arm_values) == ({"4.6.2": 15}, {"4": 15})


def test_two_wrong_values_that_differ_are_a_change():
    wanted = request("old", "new")

    def make(arm, seed, repetition):
        return measured(set(SERVICES), {"host0:22/tcp": "4" if arm == "old" else "5"})

    (contrast,) = summarize(wanted, runs(wanted, make)).contrasts
    assert [each.judgement for each in contrast.differences] == ["changed"]


def test_a_scanner_beside_itself_claims_next_to_nothing_however_it_flickers():
    wanted = request("a", "b", seeds=10, repetitions=1)
    facts = rows = 0
    for trial in range(40):
        chance = random.Random(trial)

        def make(arm, seed, repetition, chance=chance):
            return measured({key for key in SERVICES if key[-6:] != "43/tcp" or chance.random() < 0.7})

        (contrast,) = summarize(wanted, runs(wanted, make)).contrasts
        facts += any(each.judgement != "unclear" for each in contrast.differences)
        rows += any(row.is_clear for row in contrast.rows)
    assert facts <= 2
    assert rows <= 1


def test_four_runs_of_each_are_enough_where_all_else_agrees():
    wanted = request("old", "new", seeds=2, repetitions=2)

    def make(arm, seed, repetition):
        return measured(set(SERVICES) - ({"host1:80/tcp"} if arm == "new" else set()))

    (contrast,) = summarize(wanted, runs(wanted, make)).contrasts
    assert [(each.judgement, each.key) for each in contrast.differences] == [("lost", "host1:80/tcp")]


def test_what_repetitions_do_not_agree_on_is_unstable():
    wanted = request("a", seeds=2)

    def make(arm, seed, repetition):
        return measured(set(SERVICES) - ({"host2:443/tcp"} if (seed, repetition) == (1, 2) else set()))

    results = summarize(wanted, runs(wanted, make))
    (one,) = results.unstable
    assert (one.seed, one.key, one.found, one.of) == (1, "host2:443/tcp", 2, 3)
    assert results.arms[0].rows[0].spread == pytest.approx(1 / 12)


def test_an_arm_that_measured_nothing_has_no_figures_and_no_differences():
    wanted = request("a", "b")
    only_a = [
        run for run in runs(wanted, lambda arm, seed, repetition: measured(set(SERVICES))) if run.arm == "a"
    ]
    results = summarize(wanted, only_a)
    assert [(arm.arm, arm.measured, arm.planned) for arm in results.arms] == [("a", 15, 15), ("b", 0, 15)]
    assert results.arms[1].seconds.value is None
    assert (results.contrasts[0].pairs, results.contrasts[0].differences) == (0, ())


@settings(max_examples=25)
@given(st.data())
def test_order_changes_nothing_and_every_interval_holds_its_figure(data):
    wanted = request("a", "b", seeds=3, repetitions=2)
    found = st.sets(st.sampled_from(SERVICES))
    listed = runs(wanted, lambda arm, seed, repetition: measured(data.draw(found)))
    results = summarize(wanted, listed)
    assert summarize(wanted, data.draw(st.permutations(listed))) == results
    for arm in results.arms:
        for row in arm.rows:
            for each in (row.recall, row.precision, row.f1):
                if each.value is not None:
                    assert each.low <= each.value <= each.high
                    assert 0 <= each.low <= each.high <= 1
    for difference in results.contrasts[0].differences:
        assert 0 <= difference.found_by_arm <= difference.of_arm
        assert 0 <= difference.found_by_baseline <= difference.of_baseline


@settings(max_examples=25)
@given(st.sets(st.sampled_from(SERVICES)), st.sets(st.sampled_from(SERVICES)))
def test_exchanging_the_arms_exchanges_lost_and_gained(first, second):
    def judged(before, after):
        wanted = request("before", "after", seeds=3, repetitions=2)
        listed = runs(wanted, lambda arm, seed, repetition: measured(before if arm == "before" else after))
        return {(each.key, each.judgement) for each in summarize(wanted, listed).contrasts[0].differences}

    other = {"lost": "gained", "gained": "lost", "changed": "changed", "unclear": "unclear"}
    assert {(key, other[word]) for key, word in judged(first, second)} == judged(second, first)
    assert {key for key, word in judged(first, second) if word == "lost"} == first - second


def with_false(run, *keys, left_out=0):
    """Return a run that also reported these, which are not true."""
    false = tuple(FalseReport(kind="service", key=key) for key in keys)
    return run.model_copy(update={"false_positives": false, "false_positives_left_out": left_out})


def test_a_false_positive_that_one_arm_alone_reports_is_clear_and_one_that_flickers_is_not():
    wanted = request("old", "new")

    def make(arm, seed, repetition):
        always = ["ghost:80/tcp"] if arm == "new" else []
        flickers = ["ghost:81/tcp"] if (seed + repetition) % 2 == (arm == "new") else []
        return with_false(measured(set(SERVICES)), "ghost:82/tcp", *always, *flickers)

    (contrast,) = summarize(wanted, runs(wanted, make)).contrasts
    clear, *others = contrast.false_positives
    assert (clear.key, clear.by_baseline, clear.of_baseline, clear.by_arm, clear.of_arm) == (
        "ghost:80/tcp",
        0,
        15,
        15,
        15,
    )
    assert clear.is_clear
    assert [(each.key, each.is_clear) for each in others] in ([], [("ghost:81/tcp", False)])


def test_what_a_list_that_was_cut_does_not_show_was_perhaps_reported_all_the_same():
    wanted = request("old", "new")

    def make(arm, seed, repetition):
        return with_false(measured(set(SERVICES)), *["ghost:80/tcp"] * (arm == "new"), left_out=arm == "old")

    (contrast,) = summarize(wanted, runs(wanted, make)).contrasts
    assert not any(each.is_clear for each in contrast.false_positives)
