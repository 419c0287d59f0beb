"""Intervals for how many of a network's hosts will be found, from the few that stand for them. Pure.

A class of hosts with the same services is a stratum. Its targets show how often what it has is found; the
point estimate is that share times its hosts. Resampling the targets alone would claim certainty wherever one
target stands for a class, as most do, and it would leave out that production is one more run. So each draw
takes a share over all classes from its posterior, by Jeffreys' rule, for each class a share from the
posterior that has this one as its prior, and an outcome of the class from that (Gelman et al., Bayesian Data
Analysis, 3rd ed., section 5.3). The same data give the same figures.
"""

import random
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dryrun_contract.network_forecast import INTERVAL_SHARE, Expected

_SEED = 2026
_STRENGTH = 1.0
"""How many targets' worth the share over all classes counts beside a class's own targets."""
_TINY = 1e-9
_DRAWS_IN_ALL = 150_000
_FEWEST, _MOST = 200, 1000


@dataclass(frozen=True, slots=True)
class Stratum:
    """Hosts of a class, each with one thing that is found or missed: itself, a service, a product."""

    hosts: int
    found: float
    """Summed over its targets: how often it was found on each, from 0 to 1."""
    targets: int
    """At least one: what no target stands for is no stratum."""

    @property
    def share(self) -> float:
        """How often it is found."""
        return self.found / self.targets


def expect[G: Hashable](strata: Sequence[Stratum], groups: Sequence[Iterable[G]]) -> Mapping[G, Expected]:
    """Return for each group how many will be found; `groups` has the groups that each stratum belongs to."""
    if not strata:
        return {}
    count = max(_FEWEST, min(_MOST, _DRAWS_IN_ALL // len(strata)))
    chance = random.Random(_SEED)  # noqa: S311  # reproducible on purpose
    found, targets = sum(each.found for each in strata), sum(each.targets for each in strata)
    overall = [chance.betavariate(found + 0.5, targets - found + 0.5) for _ in range(count)]
    points: dict[G, float] = {}
    sums: dict[G, list[float]] = {}
    for stratum, own in zip(strata, groups, strict=True):
        drawn = [_draw(stratum, share, chance) for share in overall]
        for group in own:
            points[group] = points.get(group, 0.0) + stratum.hosts * stratum.share
            total = sums.setdefault(group, [0.0] * count)
            for index, value in enumerate(drawn):
                total[index] += value
    return {group: between(points[group], total) for group, total in sums.items()}


def _draw(stratum: Stratum, overall: float, chance: random.Random) -> int:
    found = stratum.found + _STRENGTH * overall
    missed = stratum.targets - stratum.found + _STRENGTH * (1 - overall)
    share = chance.betavariate(max(found, _TINY), max(missed, _TINY))
    return chance.binomialvariate(stratum.hosts, share)


def between(value: float, drawn: Sequence[float]) -> Expected:
    """Return `value` with the interval that holds the middle of what was drawn, and `value` itself."""
    ordered = sorted(drawn)
    beyond = int(len(ordered) * (1 - INTERVAL_SHARE) / 2)
    return Expected(
        value=value, low=min(value, ordered[beyond]), high=max(value, ordered[len(ordered) - 1 - beyond])
    )
