"""Which rate a sweep recommends, for any runs: never one at or above harm, never after few runs."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approval_api.experiments.measure import FactResult, Measured, RowCounts
from approval_api.experiments.rate_sweep import FEWEST_RUNS, rate_sweeps
from approval_api.experiments.runs import Run
from dryrun_contract.experiment import ExperimentRequest

RATES = (20, 50, 100, 200, 500, 1000)
FACTS = tuple(f"plc:{port}/tcp" for port in (502, 4001, 4002))


def measured(missed=(), *, restarts=0, harmed=0):
    facts = tuple(
        FactResult(kind="service", key=key, fate="missed" if key in missed else "found") for key in FACTS
    )
    row = RowCounts(
        kind="service",
        attribute=None,
        true_positives=len(FACTS) - len(missed),
        false_positives=0,
        false_negatives=len(missed),
    )
    return Measured(
        complete=True,
        rows=(row,),
        facts=facts,
        seconds=3.0,
        packets=9,
        failed_logins=None,
        harmed=harmed,
        side_effects={"restarts": restarts, "pages_printed": 0},
    )


def swept(by_rate):
    """Return the sweep over these runs: rate → measured. As many are planned as the longest has."""
    planned = max(1, *map(len, by_rate.values()))
    request = ExperimentRequest(
        name="x", templates=("rate",), repetitions=planned, rates=tuple(sorted(by_rate))
    )
    runs = {
        arm.name: [
            Run(arm.name, "rate", 0, number, each) for number, each in enumerate(by_rate[arm.scan.max_rate])
        ]
        for arm in request.arms()
    }
    (sweep,) = rate_sweeps(request, runs)
    return sweep


def test_recommends_the_highest_rate_below_harm_and_names_the_margin():
    sweep = swept({rate: [measured(restarts=rate > 100)] * 4 for rate in RATES})
    assert (sweep.verdict, sweep.recommended, sweep.beyond) == ("recommended", 100, 200)
    assert [point.state for point in sweep.points] == ["safe"] * 3 + ["harms"] * 3
    assert sweep.sentence == (
        "100 packets/s: nothing lost and nothing harmed in 4 sessions, which leaves a chance of harm of "
        "up to 53 % in a session; 200/s, 2 times as fast, is too much: restarts in 4 of 4 sessions"
    )


def test_a_rate_that_misses_what_others_find_is_too_fast_or_too_slow():
    # A slow scan may be cut off by its time.
    fates = {20: FACTS[:1], 50: (), 100: (), 200: FACTS[1:]}
    sweep = swept({rate: [measured(missed)] * 5 for rate, missed in fates.items()})
    assert [point.state for point in sweep.points] == ["loses", "safe", "safe", "loses"]
    assert (sweep.recommended, sweep.beyond) == (100, 200)
    assert "2 lost: service plc:4001/tcp, service plc:4002/tcp" in sweep.sentence


def test_no_rate_is_safe_when_all_harm():
    sweep = swept({rate: [measured(), measured(restarts=1), measured(), measured()] for rate in RATES})
    assert (sweep.verdict, sweep.recommended, sweep.harm_chance_at_most) == ("none_safe", None, None)
    assert sweep.sentence == "no rate in this sweep is safe; at 20/s: restarts in 1 of 4 sessions"


def test_harm_at_a_slow_rate_is_not_forgotten_at_a_fast_one():
    harm = {20: 0, 50: 1, 100: 0, 200: 0}
    sweep = swept({rate: [measured(restarts=times)] * 6 for rate, times in harm.items()})
    assert (sweep.recommended, sweep.beyond) == (20, 50)


def test_three_sessions_of_a_rate_are_too_few_and_one_with_harm_is_enough():
    few = swept({rate: [measured()] * 3 for rate in RATES})
    assert few.verdict == "too_few_repetitions"
    assert few.sentence == "none is proved safe: at 20/s: it takes 4 sessions, not 3"
    harmful = swept({rate: [measured(harmed=1)] for rate in RATES})
    assert harmful.verdict == "none_safe"


def test_a_fact_that_chance_may_have_hidden_leaves_a_rate_uncertain():
    runs = {20: [measured()] * 4, 50: [*[measured()] * 3, measured(FACTS[:1])]}
    sweep = swept(runs)
    assert [point.state for point in sweep.points] == ["safe", "uncertain"]
    assert (sweep.recommended, sweep.beyond) == (20, None)
    assert sweep.sentence.endswith(
        "no faster one is proved safe: at 50/s: 1 perhaps lost: service plc:502/tcp"
    )
    # One miss of twenty is what any scan does.
    often = {20: [measured()] * 20, 50: [measured()] * 19 + [measured(FACTS[:1])]}
    assert swept(often).recommended == 50


def test_a_rate_that_nearly_always_finds_a_fact_shows_that_another_lost_it():
    nearly = [*[measured()] * 19, measured(FACTS[:1])]
    sweep = swept({100: nearly, 5000: [measured(FACTS[:1])] * 20})
    assert [point.state for point in sweep.points] == ["safe", "loses"]
    assert (sweep.recommended, sweep.beyond) == (100, 5000)
    # A fact that no rate finds so often is nobody's loss.
    often = [*[measured()] * 18, *[measured(FACTS[:1])] * 2]
    assert swept({100: often, 5000: [measured(FACTS[:1])] * 20}).recommended == 5000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"side_effects": {"restarts": None}}, "side effects not known in 1 of 4 sessions"),
        ({"side_effects": {}, "logs_read": False}, "side effects not known in 1 of 4 sessions"),
        ({"complete": False}, "scan cut short in 1 of 4 sessions"),
        ({"facts_left_out": 1}, "too many facts to keep all in 1 of 4 sessions"),
    ],
)
def test_one_run_that_was_not_wholly_measured_is_no_proof_of_safety(change, said):
    partly = measured().model_copy(update=change)
    sweep = swept({20: [measured()] * 4, 50: [*[measured()] * 3, partly]})
    assert [point.state for point in sweep.points] == ["safe", "uncertain"]
    assert sweep.points[1].reason == said
    assert sweep.sentence.endswith(f"no faster one is proved safe: at 50/s: {said}")


def test_a_session_that_failed_leaves_its_rate_uncertain():
    sweep = swept({20: [measured()] * 5, 50: [measured()] * 4, 100: []})
    assert [point.state for point in sweep.points] == ["safe", "uncertain"]
    assert sweep.sentence.endswith("no faster one is proved safe: at 50/s: 4 of 5 sessions measured")
    rest = swept({20: [measured()] * 5, 50: []})
    assert rest.sentence.endswith("no faster one is proved safe: no session was measured")


def test_a_rate_of_which_every_session_failed_is_not_called_unsafe():
    sweep = swept({20: [], 50: [measured(FACTS)] * 4, 100: [measured(restarts=1)] * 4, 200: []})
    assert [point.state for point in sweep.points] == ["loses", "harms"]
    assert (sweep.verdict, sweep.sentence) == (
        "too_few_repetitions",
        "none is proved safe: no session was measured",
    )
    faster = swept({20: [measured(restarts=1)] * 4, 50: []})
    assert faster.verdict == "none_safe"


def test_rates_at_which_nothing_was_found_are_not_safe():
    sweep = swept({rate: [measured(FACTS)] * 4 for rate in RATES})
    assert (sweep.verdict, sweep.recommended) == ("too_few_repetitions", None)
    assert sweep.sentence == "none is proved safe: at 20/s: no fact was found"


def test_a_sweep_without_limit_says_that_nothing_faster_was_tried():
    sweep = swept({rate: [measured()] * 4 for rate in RATES})
    assert (sweep.recommended, sweep.beyond) == (1000, None)
    assert sweep.sentence.endswith("no faster one was tried")


RUNS = st.lists(
    st.builds(
        measured,
        st.sets(st.sampled_from(FACTS)),
        restarts=st.integers(0, 2),
        harmed=st.sampled_from((0, 0, 1)),
    ),
    max_size=12,
)
SWEEPS = st.dictionaries(st.sampled_from(RATES), RUNS, min_size=2)


@given(SWEEPS)
@settings(deadline=None)
def test_what_is_recommended_was_tried_often_and_neither_it_nor_a_slower_rate_harmed(by_rate):
    sweep = swept(by_rate)
    assert (sweep.verdict == "recommended") == (sweep.recommended is not None)
    if sweep.recommended is None:
        return
    assert len(by_rate[sweep.recommended]) >= FEWEST_RUNS
    for rate, runs in by_rate.items():
        if rate <= sweep.recommended:
            assert not any(run.harmed or any(run.side_effects.values()) for run in runs)
    always = {
        key
        for runs in by_rate.values()
        for key in FACTS
        if runs and all(fact.fate == "found" for run in runs for fact in run.facts if fact.key == key)
    }
    assert len(by_rate[sweep.recommended]) == max(map(len, by_rate.values()))
    for run in by_rate[sweep.recommended] if len(by_rate[sweep.recommended]) < 20 else ():
        assert {fact.key for fact in run.facts if fact.fate == "missed"}.isdisjoint(always)


@given(SWEEPS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_runs_does_not_matter(by_rate, chance):
    shuffled = {rate: chance.sample(runs, len(runs)) for rate, runs in by_rate.items()}
    assert swept(shuffled).model_dump(exclude={"points"}) == swept(by_rate).model_dump(exclude={"points"})


@given(SWEEPS, st.sampled_from(RATES))
@settings(deadline=None)
def test_more_harm_never_recommends_a_faster_rate(by_rate, rate):
    before = swept(by_rate).recommended
    worse = by_rate | {rate: [*by_rate.get(rate, []), measured(restarts=1)]}
    after = swept(worse).recommended
    if after is not None and rate in by_rate:
        assert before is not None
        assert after <= before


@pytest.mark.parametrize("number", [4, 10, 50])
def test_the_chance_of_harm_is_the_exact_bound(number):
    sweep = swept({rate: [measured()] * max(number, FEWEST_RUNS) for rate in (20, 50)})
    chance = Fraction(sweep.harm_chance_at_most)
    runs = max(number, FEWEST_RUNS)
    # At the bound, no harm in so many sessions has a chance of one in twenty.
    assert float(comb(runs, 0) * (1 - chance) ** runs) == pytest.approx(0.05)
