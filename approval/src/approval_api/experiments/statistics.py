"""Bootstrap intervals and exact tests, reproducible: the same data give the same figures. Pure.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13: percentile intervals. What is
resampled is a network (a template with a seed) with all its repetitions, because repetitions on one network
are not independent of each other.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from operator import mul

from dryrun_contract.experiment_results import UNMEASURED, Interval

RESAMPLES = 1000
_SEED = 2026
_EXACT_PAIRS = 12
_FLIPS = 10_000
_EDGE = 0.025
"""Below and above a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, added up over one cluster: found of true, seconds of runs."""

    part: float
    whole: float


def interval(shares: Sequence[Share]) -> Interval:
    """Return all parts over all wholes, with the interval over resampled clusters.

    With a single cluster there is nothing to resample: the interval is unknown.

    >>> interval([Share(1, 2), Share(2, 4)])
    Interval(value=0.5, low=0.5, high=0.5)
    """
    parts, wholes = [each.part for each in shares], [each.whole for each in shares]
    return _interval(
        len(shares), lambda weights: ratio(_weighted(weights, parts), _weighted(weights, wholes))
    )


def interval_of_difference(pairs: Sequence[tuple[Share, Share]]) -> Interval:
    """Return the second ratio minus the first, with the interval over resampled pairs.

    >>> interval_of_difference([(Share(1, 2), Share(2, 2)), (Share(1, 2), Share(2, 2))])
    Interval(value=0.5, low=0.5, high=0.5)
    """
    before_parts, before_wholes = [one.part for one, _ in pairs], [one.whole for one, _ in pairs]
    after_parts, after_wholes = [other.part for _, other in pairs], [other.whole for _, other in pairs]

    def difference(weights: Sequence[int]) -> float | None:
        before = ratio(_weighted(weights, before_parts), _weighted(weights, before_wholes))
        after = ratio(_weighted(weights, after_parts), _weighted(weights, after_wholes))
        return None if before is None or after is None else after - before

    return _interval(len(pairs), difference)


def _interval(clusters: int, figure: Callable[[Sequence[int]], float | None]) -> Interval:
    value = figure([1] * clusters)
    if value is None:
        return UNMEASURED
    if clusters < 2:
        return Interval(value=value, low=None, high=None)
    values = sorted(each for weights in _resamples(clusters) if (each := figure(weights)) is not None)
    beyond = int(_EDGE * len(values))
    # The point estimate is in it: with few clusters a percentile may pass it by.
    return Interval(
        value=value, low=min(value, *values[beyond : beyond + 1]), high=max(value, *values[-1 - beyond :][:1])
    )


def _weighted(weights: Sequence[int], values: Sequence[float]) -> float:
    return float(sum(map(mul, weights, values)))


@lru_cache(maxsize=16)
def _resamples(clusters: int) -> tuple[tuple[int, ...], ...]:
    """Return how often each cluster is drawn, for every resample."""
    chance = random.Random(_SEED)  # noqa: S311  # reproducible on purpose
    drawn = (Counter(chance.choices(range(clusters), k=clusters)) for _ in range(RESAMPLES))
    return tuple(tuple(each[cluster] for cluster in range(clusters)) for each in drawn)


def ratio(part: float, whole: float) -> float | None:
    """Return `part / whole`; None when both are nothing."""
    return part / whole if whole else None


def fisher_exact(found: int, of: int, other_found: int, other_of: int) -> float:
    """Return the two-sided p-value that both found equally often (Fisher's exact test).

    >>> round(fisher_exact(10, 10, 0, 10), 6)
    1.1e-05
    >>> fisher_exact(3, 5, 3, 5)
    1.0
    """
    total, hits = of + other_of, found + other_found
    whole = comb(total, hits)

    def chance(first: int) -> float:
        return comb(of, first) * comb(other_of, hits - first) / whole

    observed = chance(found)
    first, last = max(0, hits - other_of), min(of, hits)
    # As R does: tables as improbable as this one, but for rounding, count.
    p = sum(each for each in map(chance, range(first, last + 1)) if each <= observed * (1 + 1e-7))
    return min(1.0, p)


def sign_flip(differences: Sequence[float]) -> float:
    """Return the two-sided p-value that paired differences have no direction.

    Under the null hypothesis which of the two was the baseline is arbitrary, so every difference might as
    well have the other sign. Exact up to 12 pairs, then by 10,000 draws.

    >>> sign_flip([0.1] * 6)
    0.03125
    >>> sign_flip([0.0, 0.0])
    1.0
    """
    moved = [each for each in differences if each]
    if not moved:
        return 1.0
    observed = abs(sum(moved)) * (1 - 1e-9)
    if len(moved) <= _EXACT_PAIRS:
        sums = [0.0]
        for each in moved:
            sums = [total + sign * each for total in sums for sign in (1, -1)]
        return sum(abs(total) >= observed for total in sums) / len(sums)
    chance = random.Random(_SEED)  # noqa: S311  # reproducible on purpose
    hits = sum(
        abs(sum(each if chance.random() < 0.5 else -each for each in moved)) >= observed
        for _ in range(_FLIPS)
    )
    # The data as they are count as one draw (Davison and Hinkley 1997, section 4.3).
    return (hits + 1) / (_FLIPS + 1)


def benjamini_hochberg(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Return which hypotheses are rejected, with at most a share of `rate` false ones among them.

    Controls the false discovery rate (Benjamini and Hochberg 1995). Leave out hypotheses that no data could
    reject (Tarone 1990).

    >>> benjamini_hochberg([0.001, 0.9, 0.02])
    [True, False, True]
    """
    ranked = sorted(range(len(p_values)), key=p_values.__getitem__)
    last = -1
    for place, index in enumerate(ranked):
        if p_values[index] <= rate * (place + 1) / len(p_values):
            last = place
    rejected = set(ranked[: last + 1])
    return [index in rejected for index in range(len(p_values))]
