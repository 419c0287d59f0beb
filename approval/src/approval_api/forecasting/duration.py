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
    deviation: float
    """Relative, of what is scaled: for other servers, another machine, and what no straight line says."""

    def seconds(self, hosts: float, services: float) -> float:
        """Return how long a network of this size would take there."""
        return self.fixed + self.host * hosts + self.service * services


QUICK = Shape(fixed=12.8, host=0.0, service=0.35, deviation=0.15)
"""Through seven scans of 4 to 40 hosts with 7 to 49 services, none of which is off by more than 18 %
(`python -m bench --only duration`)."""
FULL = Shape(fixed=10.0, host=5.0, service=0.3, deviation=0.4)
"""Through three scans of hosts with one server: 3 in 12 s, 8 in 70 s, 39 in 223 s. Which servers they are
says as much: two hosts with seven took 102 s."""
_DEVIATIONS = 1.645


def expected_seconds(rehearsals: Rehearsals) -> QuantityForecast:
    """Return the duration for the whole network: the mean over all sessions, each scaled by its own size."""
    scaled: list[float] = []
    factors: list[float] = []
    deviations: list[float] = []
    for observation in rehearsals.observations:
        if observation.seconds is not None and observation.complete:
            factors.append(_factor(rehearsals, observation))
            deviations.append(_shape(observation).deviation)
            scaled.append(observation.seconds * factors[-1])
    if not scaled:
        return QuantityForecast(name="seconds", expected=None, basis="no session scanned to its end")
    value = mean(scaled)
    spread = stdev(scaled) / value if len(scaled) > 2 and value else 0.0
    # What is scaled far is known less well.
    reach = _DEVIATIONS * (max(deviations) ** 2 * max(1.0, mean(factors)) + spread**2) ** 0.5
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
    shape = _shape(observation)
    services = sum(len(seen.services) for seen in observation.targets.values())
    here = shape.seconds(len(observation.targets), services)
    return shape.seconds(rehearsals.hosts, rehearsals.services) / here


def _shape(observation: Observation) -> Shape:
    return FULL if observation.scan.profile == "full" else QUICK
