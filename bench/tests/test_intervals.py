import pytest
from bench.intervals import median_interval, percentile, ratio_interval, slope


def test_the_ratio_is_that_of_the_medians_and_lies_in_its_interval():
    found = ratio_interval([(1.0, 2.0), (1.2, 2.0), (0.9, 2.2), (1.1, 1.9), (5.0, 9.0)])
    assert found.value == pytest.approx(1.1 / 2.0)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_what_was_measured_in_turn_stays_a_pair():
    # Both double in a busy minute: pair by pair the ratio never changes, so neither does any resample.
    found = ratio_interval([(1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (1.5, 3.0)])
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


def test_the_same_numbers_give_the_same_interval():
    values = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0]
    assert median_interval(values) == median_interval(values)


def test_equal_measurements_have_an_interval_without_width():
    found = median_interval([2.0, 2.0, 2.0])
    assert (found.low, found.high) == (2.0, 2.0)


def test_two_measurements_have_no_interval_and_are_judged_by_their_median():
    found = median_interval([1.0, 3.0])
    assert (found.low, found.high, found.upper) == (None, None, 2.0)


def test_a_wider_spread_has_a_wider_interval():
    narrow, wide = (median_interval([10 - by, 10, 10 + by, 10 - by / 2, 10 + by / 2]) for by in (0.1, 5.0))
    assert narrow.upper < wide.upper


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_the_slope_is_the_exponent(exponent):
    assert slope([(x, 3 * x**exponent) for x in (1, 2, 4, 8)]) == pytest.approx(exponent)


def test_one_position_has_no_slope():
    with pytest.raises(ValueError, match="two different"):
        slope([(5, 1.0), (5, 2.0)])


def test_a_percentile_is_one_of_the_values():
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 3.0
    assert percentile([4.0, 1.0], 1.0) == 4.0
