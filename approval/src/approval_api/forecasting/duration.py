"""How long a scan of the whole network takes, from how long one of the targets took. Pure.

A scan begins and ends with work that takes the same time on any network; in between, its duration grows with
hosts (every port of each is probed) and with services (each is identified). A rehearsal gives one duration,
in which the three parts cannot be distinguished; so it is scaled by constant proportions of them
(`docs/forecast.md`).
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


QUICK = Shape(fixed=12.7, host=0.0, service=0.06, deviation=0.15)
FULL = Shape(fixed=16.0, host=2.0, service=0.0, deviation=0.15)
"""Of three networks scanned once, twice and, by `quick`, three times over: 13 to 60 hosts with 22 to 147
services, none of which is off by more than 10 % (`python -m bench --only duration`). A target of every class
is in a rehearsal, so the slowest server is too; what the network has more of is more of the same."""
_DEVIATIONS = 1.645


def expected_seconds(rehearsals: Rehearsals, packets: Expected | None) -> QuantityForecast:
    """Return the duration for the whole network: the mean over all sessions, each scaled by its own size.

    A scan with a packet rate takes as long as its `packets` take at that rate, at least.
    """
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
    expected = Expected(value=value, low=value * max(0.0, 1 - reach), high=value * (1 + reach))
    sizes = [len(observation.targets) for observation in rehearsals.observations]
    sessions = [each.seconds for each in rehearsals.observations if each.seconds is not None]
    basis = (
        f"{mean(sessions):,.1f} s for {mean(sizes):,.0f} targets, times {mean(factors):.2f} for "
        f"{rehearsals.hosts:,} hosts with {rehearsals.services:,} services"
    )
    rate = rehearsals.observations[0].scan.max_rate
    if rate and packets and packets.value > value * rate:
        low, high = packets.low / rate, packets.high / rate * (1 + reach)
        expected = Expected(value=packets.value / rate, low=low, high=high)
        basis = f"{packets.value:,.0f} packets at {rate:,}/s"
    return QuantityForecast(name="seconds", expected=expected, basis=basis)


def _factor(rehearsals: Rehearsals, observation: Observation) -> float:
    shape = _shape(observation)
    services = sum(len(seen.services) for seen in observation.targets.values())
    here = shape.seconds(len(observation.targets), services)
    return shape.seconds(rehearsals.hosts, rehearsals.services) / here


def _shape(observation: Observation) -> Shape:
    return FULL if observation.scan.profile == "full" else QUICK
