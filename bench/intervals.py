"""Medians, bootstrap intervals, slopes. The same numbers give the same answer."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

RESAMPLES = 4000
_SEED = 2026


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; `low` and `high` are None with fewer than three measurements."""

    value: float
    low: float | None
    high: float | None

    @property
    def upper(self) -> float:
        """The end that a bound from above is held against: without an interval, the estimate itself."""
        return self.value if self.high is None else self.high


def median_interval(values: Sequence[float]) -> Interval:
    """Return the median of `values`."""
    return _bootstrap(values, statistics.median)


def ratio_interval(pairs: Sequence[tuple[float, float]]) -> Interval:
    """Return the median of the first over that of the second; what was measured in turn stays a pair."""
    return _bootstrap(pairs, _ratio_of_medians)


def _ratio_of_medians(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.median(ours for ours, _ in pairs) / statistics.median(theirs for _, theirs in pairs)


def _bootstrap[T](sample: Sequence[T], statistic: Callable[[Sequence[T]], float]) -> Interval:
    """Efron's percentile bootstrap. Two measurements show no spread: they get no interval."""
    if len(sample) < 3:
        return Interval(statistic(sample), None, None)
    random = Random(_SEED)
    drawn = sorted(statistic(random.choices(sample, k=len(sample))) for _ in range(RESAMPLES))
    return Interval(statistic(sample), drawn[round(RESAMPLES * 0.025)], drawn[round(RESAMPLES * 0.975) - 1])


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the exponent by which the second grows with the first: 1 is proportional, 0 does not grow.

    The least-squares line through the logarithms. Raises ValueError for fewer than two different positions.
    """
    if len({x for x, _ in points}) < 2:
        raise ValueError("a slope needs two different positions")
    logs = [(math.log(x), math.log(y)) for x, y in points]
    return statistics.linear_regression([x for x, _ in logs], [y for _, y in logs]).slope


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of `values` lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
