"""What counts as lost, beside a baseline: what chance cannot explain, and nothing else."""

import random

import pytest

from approval_api.experiments.contrast import Tally
from dryrun_local.ci.counting import ArmCount
from dryrun_local.ci.verdict import can_be_lost, judge, runs_needed

HOST = ("small", "host", "web", "")
SCAN = ("small", "scan", "complete", "")


def count(runs, **found):
    """An arm that found facts so often; `web=3` in 3 of its runs."""
    made = ArmCount(runs=runs)
    for name, number in {"scan": runs, **found}.items():
        key = SCAN if name == "scan" else ("small", "host", name, "")
        made.facts[key] = Tally(found=number, of=runs)
    return made


def verdict_of(before, now, **more):
    return judge("bench", {"ours": before.baseline()}, {"ours": now}, now.runs, **more)


def judgements(verdict):
    return {fact.key: fact.judgement for fact in verdict.arms[0].facts}


def test_a_fact_that_is_never_found_any_more_is_lost():
    verdict = verdict_of(count(10, web=10, db=10), count(5, web=5, db=0))
    assert (verdict.state, verdict.lost) == ("regressed", 1)
    assert judgements(verdict) == {"web": "kept", "db": "lost", "complete": "kept"}


def test_a_fact_that_was_never_found_is_gained_and_one_that_stays_away_is_missed():
    verdict = verdict_of(count(10, web=0, db=0), count(5, web=5, db=0))
    assert verdict.state == "passed"
    assert judgements(verdict) == {"web": "gained", "db": "missed", "complete": "kept"}


@pytest.mark.parametrize(("before", "now"), [(10, 4), (9, 5), (7, 2), (5, 0), (10, 9)])
def test_a_fact_that_flickers_turns_nothing_red(before, now):
    verdict = verdict_of(count(10, web=before, db=10), count(5, web=min(now, 5), db=5))
    assert verdict.state == "passed"
    assert judgements(verdict)["web"] in {"unclear", "kept", "too_few_runs"}


def test_a_scanner_beside_itself_is_hardly_ever_red_however_its_facts_flicker():
    chance = random.Random(7)
    rates = [chance.random() for _ in range(40)] + [1.0] * 40
    red = 0
    for _ in range(200):
        arms = [
            count(
                runs,
                **{f"f{n}": sum(chance.random() < rate for _ in range(runs)) for n, rate in enumerate(rates)},
            )
            for runs in (10, 5)
        ]
        red += verdict_of(*arms).state == "regressed"
    assert red <= 10, "at most one build in twenty, with forty facts that flicker"


def test_too_few_runs_cannot_show_a_loss_and_say_so():
    verdict = verdict_of(count(2, web=2), count(2, web=0))
    assert verdict.state == "passed"
    assert judgements(verdict)["web"] == "too_few_runs"
    assert not can_be_lost(Tally(found=2, of=2), 2)
    assert [runs_needed(Tally(found=n, of=n)) for n in (1, 3, 4, 10, 19)] == [19, 4, 3, 2, 1]


def test_a_scan_that_does_not_run_to_its_end_any_more_is_a_loss():
    now = count(5, web=5)
    now.facts[SCAN].found = 0
    assert judgements(verdict_of(count(10, web=10), now))["complete"] == "lost"


def test_another_value_that_is_as_right_as_before_is_reported_and_not_red():
    before, now = count(10, web=10), count(5, web=5)
    before.facts[HOST].values["4.6.2"] = 10
    now.facts[HOST].values["4"] = 5
    verdict = verdict_of(before, now)
    assert (verdict.state, judgements(verdict)["web"]) == ("passed", "changed")


def test_a_criterion_is_met_when_most_runs_meet_it():
    now = count(5, web=5)
    now.criteria["recall_min"] = [("passed", "0.9")] * 3 + [("failed", "0.7, at least 0.8 required")] * 2
    assert verdict_of(count(10, web=10), now).state == "passed"
    now.criteria["recall_min"] = [("passed", "0.9")] * 2 + [("not_measured", "no scores")] * 3
    verdict = verdict_of(count(10, web=10), now)
    assert (verdict.state, verdict.not_met) == ("regressed", 1)
    assert verdict.arms[0].criteria[0].example == "no scores"


def test_sessions_without_a_measurement_are_no_pass_and_hide_no_loss():
    missing = {"reasons": ["session 3: the engine went away"]}
    assert verdict_of(count(10, web=10), count(4, web=4), **missing).state == "not_measured"
    assert verdict_of(count(10, web=10), count(4, web=0), **missing).state == "regressed"
