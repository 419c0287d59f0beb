"""How long a scan of the whole network takes, from how long one of the targets took. Pure.

The rehearsal has a target of every class, so what any scan of the network waits for is in its duration already:
a service that answers late is waited for once, however many there are. What the network has more of is more of
the same, which costs each host the search of its ports (`full`) or each service a question (`quick`). So that
is added, and nothing is multiplied (`docs/forecast.md`).
"""

from dataclasses import dataclass
from statistics import mean, stdev

from approval_api.forecasting.rehearsals import Rehearsals
from dryrun_contract.network_forecast import Expected, QuantityForecast
from dryrun_contract.observation import Observation


@dataclass(frozen=True, slots=True)
class Growth:
    """Seconds that a scan takes longer for one more host and one more service."""

    host: float
    service: float
    deviation: float
    """Relative, of the whole: for other servers, another machine, and what no straight line says."""

    def seconds(self, hosts: float, services: float) -> float:
        """Return how much longer it takes for so many more."""
        return self.host * hosts + self.service * services


QUICK = Growth(host=0.0, service=0.06, deviation=0.15)
FULL = Growth(host=1.6, service=0.0, deviation=0.15)
"""`python -m bench --only duration` measures them. Each host more of a network that is doubled takes `full` 2 s;
where the server that is waited for longest stands once, hosts that are searched after it cost nothing."""
_DEVIATIONS = 1.645


def expected_seconds(rehearsals: Rehearsals, packets: Expected | None) -> QuantityForecast:
    """Return the duration for the whole network: the mean over all sessions, each with what its size lacks.

    A scan with a packet rate takes as long as its `packets` take at that rate, at least.
    """
    grown: list[float] = []
    sessions: list[Observation] = []
    for observation in rehearsals.observations:
        if observation.seconds is not None and observation.complete:
            sessions.append(observation)
            grown.append(observation.seconds + _more_seconds(rehearsals, observation))
    if not grown:
        return QuantityForecast(name="seconds", expected=None, basis="no session scanned to its end")
    value = mean(grown)
    scanned = mean(each.seconds or 0.0 for each in sessions)
    spread = stdev(grown) / value if len(grown) > 2 and value else 0.0
    # What grows far is known less well.
    reach = _DEVIATIONS * (
        max(_growth(each).deviation for each in sessions) ** 2 * max(1.0, value / max(scanned, 1e-9))
        + spread**2
    ) ** 0.5
    expected = Expected(value=value, low=value * max(0.0, 1 - reach), high=value * (1 + reach))
    basis = (
        f"{scanned:,.1f} s for {mean(len(each.targets) for each in sessions):,.0f} targets, "
        f"{value - scanned:+,.1f} s for {rehearsals.hosts:,} hosts with {rehearsals.services:,} services"
    )
    rate = rehearsals.observations[0].scan.max_rate
    if rate and packets and packets.value > value * rate:
        low, high = packets.low / rate, packets.high / rate * (1 + reach)
        expected = Expected(value=packets.value / rate, low=low, high=high)
        basis = f"{packets.value:,.0f} packets at {rate:,}/s"
    return QuantityForecast(name="seconds", expected=expected, basis=basis)


def _more_seconds(rehearsals: Rehearsals, observation: Observation) -> float:
    services = sum(len(seen.services) for seen in observation.targets.values())
    return _growth(observation).seconds(
        max(0, rehearsals.hosts - len(observation.targets)), max(0, rehearsals.services - services)
    )


def _growth(observation: Observation) -> Growth:
    return FULL if observation.scan.profile == "full" else QUICK
