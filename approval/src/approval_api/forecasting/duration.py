"""How long a scan of the whole network takes, from how long one of the targets took. Pure.

A scan begins and ends with what takes the same time on any network; in between it grows with hosts (every
port of each is asked) and with services (each is asked who it is). A rehearsal gives one duration, from which
the three parts cannot be told apart; so it is scaled by constant proportions of them (`docs/forecast.md`).
"""

from dataclasses import dataclass
from statistics import mean, stdev

from approval_api.forecasting.rehearsals import Rehearsals
from dryrun_contract.network_forecast import Expected, QuantityForecast
from dryrun_contract.observation import Observation


@dataclass(frozen=True, slots=True)
class Shape:
    """Seconds; only their proportions matter."""

    fixed: float
    host: float
    service: float

    def seconds(self, hosts: float, services: float) -> float:
        """Return how long a network of this size would take there."""
        return self.fixed + self.host * hosts + self.service * services


QUICK = Shape(fixed=4.3, host=0.3, service=0.3)
"""Through two scans: 5 hosts with 7 services in 7.8 s, 39 hosts with 38 in 27 s."""
FULL = Shape(fixed=10.0, host=5.0, service=0.3)
"""Through one: 39 hosts with 38 services in 223 s, nearly all of it for the ports of hosts."""
_UNCERTAIN = 0.15
"""Relative deviation that is assumed for another machine, another network and what scaling leaves out."""
_DEVIATIONS = 1.645


def expected_seconds(rehearsals: Rehearsals) -> QuantityForecast:
    """Return the duration for the whole network: the mean over all sessions, each scaled by its own size."""
    scaled: list[float] = []
    factors: list[float] = []
    for observation in rehearsals.observations:
        if observation.seconds is not None and observation.complete:
            factors.append(_factor(rehearsals, observation))
            scaled.append(observation.seconds * factors[-1])
    if not scaled:
        return QuantityForecast(name="seconds", expected=None, basis="no session scanned to its end")
    value = mean(scaled)
    spread = stdev(scaled) / value if len(scaled) > 2 and value else 0.0
    # What is scaled far is known less well.
    reach = _DEVIATIONS * (_UNCERTAIN**2 * max(1.0, mean(factors)) + spread**2) ** 0.5
    sizes = [len(observation.targets) for observation in rehearsals.observations]
    sessions = [each.seconds for each in rehearsals.observations if each.seconds is not None]
    return QuantityForecast(
        name="seconds",
        expected=Expected(value=value, low=value * max(0.0, 1 - reach), high=value * (1 + reach)),
        basis=(
            f"{mean(sessions):,.1f} s for {mean(sizes):,.0f} targets, times {mean(factors):.2f} for "
            f"{rehearsals.hosts:,} hosts with {rehearsals.services:,} services"
        ),
    )


def _factor(rehearsals: Rehearsals, observation: Observation) -> float:
    shape = FULL if observation.scan.profile == "full" else QUICK
    services = sum(len(seen.services) for seen in observation.targets.values())
    here = shape.seconds(len(observation.targets), services)
    return shape.seconds(rehearsals.hosts, rehearsals.services) / here
