import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approval_api.experiments.statistics import Share, benjamini_hochberg, fisher_exact, interval, sign_flip

COUNTS = st.integers(0, 40)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    chance = random.Random(5)
    covered = 0
    for _ in range(100):
        drawn = [chance.gauss(10, 3) for _ in range(30)]
        found = interval([Share(each, 1) for each in drawn])
        covered += found.low <= 10 <= found.high
    assert 85 <= covered <= 100


def test_one_cluster_has_a_value_and_no_interval():
    assert interval([Share(3, 1)]).model_dump() == {"value": 3.0, "low": None, "high": None}
    assert interval([]).value is None


@pytest.mark.parametrize(
    ("table", "p"),
    # scipy.stats.fisher_exact of the same tables, version 1.15
    [((8, 10, 1, 6), 0.034965), ((10, 10, 0, 10), 1.0825e-05), ((3, 5, 3, 5), 1.0), ((0, 5, 0, 5), 1.0)],
)
def test_fishers_test_gives_the_textbooks_figures(table, p):
    assert fisher_exact(*table) == pytest.approx(p, rel=1e-3)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_fishers_test_does_not_depend_on_which_comes_first(found, missed, other_found, other_missed):
    one = fisher_exact(found, found + missed, other_found, other_found + other_missed)
    other = fisher_exact(other_found, other_found + other_missed, found, found + missed)
    assert one == pytest.approx(other)
    assert 0 < one <= 1


@given(st.lists(st.sampled_from([-0.1, 0.0, 0.1, 0.2]), max_size=20))
def test_the_sign_of_a_difference_does_not_change_its_chance(differences):
    p = sign_flip(differences)
    assert 0 < p <= 1
    assert sign_flip([-each for each in differences]) == pytest.approx(p, abs=0.02)


def test_the_same_difference_in_many_pairs_is_no_chance():
    assert sign_flip([-0.1] * 5) == 2 / 32
    assert sign_flip([-0.1] * 15) < 0.001


@given(st.lists(st.floats(0, 1), max_size=30))
def test_a_smaller_p_is_rejected_with_every_larger_one(ps):
    rejected = benjamini_hochberg(ps)
    assert len(rejected) == len(ps)
    kept = [p for p, is_rejected in zip(ps, rejected, strict=True) if not is_rejected]
    dropped = [p for p, is_rejected in zip(ps, rejected, strict=True) if is_rejected]
    assert not kept or not dropped or max(dropped) <= min(kept)
    assert all(p <= 0.05 for p in dropped)
