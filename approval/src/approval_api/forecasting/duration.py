"""How long a scan of the whole network takes, from how long one of the targets took. Pure.

What a scan of the network waits for is in a rehearsal's duration already, as far as it has such a target: a
service that answers late is waited for once, however many there are. What the network has more of is more of
the same, which costs the search of a host's ports (`full`) or a service's questions (`quick`). How much
longer the scan takes depends on when it finds what it waits for: among the first, and the work of the others
is done meanwhile; or among the last, and all of it comes before. The interval holds both
(`docs/forecast.md`).
"""

from collections import defaultdict
from dataclasses import dataclass
from statistics import mean, stdev
from typing import NamedTuple

from approval_api.forecasting.rehearsals import Rehearsals
from dryrun_contract.network_forecast import Expected, QuantityForecast
from dryrun_contract.observation import Observation


@dataclass(frozen=True, slots=True)
class Growth:
    """Seconds of work that one more host and one more service are."""

    host: float
    service: float
    deviation: float
    """Relative, of the whole: for other servers, another machine, and what no straight line says."""

    def seconds(self, hosts: float, services: float) -> float:
        """Return the seconds of work for this many hosts and services."""
        return self.host * hosts + self.service * services


QUICK = Growth(host=0.0, service=0.06, deviation=0.15)
FULL = Growth(host=1.6, service=0.0, deviation=0.15)
"""`python -m bench --only duration` measures them: in a network where every server stands twice, what is
waited for is found late as well, and a host takes `full` 2 s; its ports alone take 1.6 s."""
_DEVIATIONS = 1.645


class _Span(NamedTuple):
    """Seconds for the whole network: what is waited for is among the first that a scan finds, or the last."""

    least: float
    most: float

    @property
    def expected(self) -> float:
        """Nearer to the least: what listens on a likely port is found at once, the rest anywhere."""
        return self.least + (self.most - self.least) / 3


def expected_seconds(rehearsals: Rehearsals, packets: Expected | None) -> QuantityForecast:
    """Return the duration for the whole network, each session with what its size lacks.

    Samples of one network differ by chance, and their mean counts. Of parts that together are the network,
    one has the longest wait, and it counts. A scan with a packet rate takes at least as long as its `packets`
    take at that rate.
    """
    sessions = _telling(rehearsals)
    if not sessions:
        return QuantityForecast(name="seconds", expected=None, basis="no session scanned to its end")
    spans = [_span(rehearsals, each) for each in sessions]
    values = [span.expected for span in spans]
    expected = mean(values)
    spread = stdev(values) / expected if len(values) > 2 and expected else 0.0
    scanned = mean(each.seconds or 0.0 for each in sessions)
    # What grows far is known less well.
    further = max(1.0, expected / scanned) if scanned else 1.0
    deviation = max(_growth(each).deviation for each in sessions)
    reach = _DEVIATIONS * (deviation**2 * further + spread**2) ** 0.5
    seconds = Expected(
        value=expected,
        low=mean(span.least for span in spans) * max(0.0, 1 - reach),
        high=mean(span.most for span in spans) * (1 + reach),
    )
    basis = f"{scanned:,.1f} s for {mean(len(each.targets) for each in sessions):,.0f} targets"
    more = f"{expected - scanned:,.1f} s more"
    if more != "0.0 s more":
        basis += f"; {more} for all {rehearsals.hosts:,} hosts with {rehearsals.services:,} services"
    rate = rehearsals.observations[0].scan.max_rate
    if rate and packets and packets.value > expected * rate:
        low, high = packets.low / rate, packets.high / rate * (1 + reach)
        seconds = Expected(value=packets.value / rate, low=low, high=high)
        basis = f"{packets.value:,.0f} packets at {rate:,}/s"
    known = set[str]().union(*(each.targets for each in _complete(rehearsals)))
    without = sorted(
        {each.template for each in rehearsals.observations if not known.issuperset(each.targets)}
    )
    if without:
        basis += f"; without {', '.join(without)}: no session scanned to its end"
    return QuantityForecast(name="seconds", expected=seconds, basis=basis)


def _telling(rehearsals: Rehearsals) -> list[Observation]:
    """Return the complete sessions; where parts together are the whole network, those of the longest part."""
    sessions = _complete(rehearsals)
    # By targets, not by template: a part may have been imported again under another name.
    parts: defaultdict[frozenset[str], list[Observation]] = defaultdict(list)
    for each in sessions:
        parts[frozenset(each.targets)].append(each)
    share_none = sum(map(len, parts)) == len(frozenset[str]().union(*parts))
    # Hosts that answer nowhere share a target.
    is_whole = not rehearsals.outside and all(
        len(each.targets) == each.host_class.hosts for each in rehearsals.classes if each.host_class.services
    )
    if len(parts) > 1 and share_none and is_whole:
        return max(parts.values(), key=lambda own: mean(_span(rehearsals, each).expected for each in own))
    return sessions


def _complete(rehearsals: Rehearsals) -> list[Observation]:
    return [each for each in rehearsals.observations if each.seconds is not None and each.complete]


def _span(rehearsals: Rehearsals, observation: Observation) -> _Span:
    growth, seconds = _growth(observation), observation.seconds or 0.0
    services = sum(len(seen.services) for seen in observation.targets.values())
    more = growth.seconds(
        max(0, rehearsals.hosts - len(observation.targets)), max(0, rehearsals.services - services)
    )
    work = growth.seconds(rehearsals.hosts, rehearsals.services)
    return _Span(min(max(seconds, work), seconds + more), seconds + more)


def _growth(observation: Observation) -> Growth:
    return FULL if observation.scan.profile == "full" else QUICK
