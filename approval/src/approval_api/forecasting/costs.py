"""What a scan of the whole network takes and does to it, from what it did to the targets. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from approval_api.forecasting.chance import Stratum, expect
from approval_api.forecasting.duration import expected_seconds
from approval_api.forecasting.rehearsals import Rehearsals
from dryrun_contract.network_forecast import Expected, Quantity, QuantityForecast
from dryrun_contract.observation import Observation, SeenTarget
from dryrun_contract.text import counted

_SPREAD = 0.05
"""Relative deviation of traffic from run to run that is assumed at least. Four sessions on one network sent
10,426 to 10,430 packets; the rest is for a network that answers in another way than its stand-ins."""
_DEVIATIONS = 1.645
"""Standard deviations of a normal distribution to each side of its middle nine tenths."""

type Value = Callable[[SeenTarget], float | None]

_PACKETS: tuple[tuple[Quantity, str, Value], ...] = (
    ("packets", "packets that hosts receive", lambda seen: seen.packets),
    ("bytes", "bytes that hosts receive", lambda seen: seen.bytes),
    ("answers", "packets that hosts send back", lambda seen: seen.answers),
)
_LOGGED: tuple[tuple[Quantity, str, Value], ...] = (
    ("connections", "connections that logs show", lambda seen: seen.connections),
    ("failed_logins", "failed logins that logs show", lambda seen: seen.failed_logins),
    ("log_lines", "lines that logs gain", lambda seen: seen.log_lines),
)


def costs(rehearsals: Rehearsals) -> tuple[QuantityForecast, ...]:
    """Return every quantity; one that no session measured has no expectation."""
    traffic = [_traffic(rehearsals, name, value) for name, _, value in _PACKETS]
    return (
        expected_seconds(rehearsals, traffic[0].expected),
        *traffic,
        *(_logged(rehearsals, name, value) for name, _, value in _LOGGED),
        _harm(rehearsals),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """A quantity of one host: so much for itself, so much for each of its services."""

    host: float
    service: float

    def of(self, hosts: float, services: float) -> float:
        return self.host * hosts + self.service * services


def _traffic(rehearsals: Rehearsals, name: Quantity, value: Value) -> QuantityForecast:
    points: list[tuple[float, float, int]] = []
    total, hosts, services = 0.0, 0, 0
    for each in rehearsals.classes:
        measured = each.mean(value)
        if measured is None:
            continue
        per_target = measured[0] / measured[1]
        open_there = sum(service.level != "nothing" for service in each.host_class.services)
        points.append((open_there, per_target, measured[1]))
        total += each.host_class.hosts * per_target
        hosts += each.host_class.hosts
        services += each.host_class.hosts * open_there
    if not points:
        return QuantityForecast(name=name, expected=None, basis="not measured in any session")
    line = _fit(points)
    rest = max(0, rehearsals.hosts - hosts), max(0, rehearsals.services - services)
    value_of_all = total + line.of(*rest)
    spread = max(_SPREAD, _between_sessions(rehearsals, value))
    # Of what no target stands for only the line is known.
    deviation = sqrt((spread * value_of_all) ** 2 + (_fit_spread(points, line) * line.of(*rest)) ** 2)
    basis = f"{total:,.0f} on {hosts:,} hosts by their targets"
    if any(rest):
        basis += (
            f"; {line.of(*rest):,.0f} for {rest[0]:,} hosts and {rest[1]:,} services without one, at "
            f"{line.host:,.0f} a host and {line.service:,.0f} a service"
        )
    return QuantityForecast(name=name, expected=_around(value_of_all, deviation), basis=basis)


def _fit(points: list[tuple[float, float, int]]) -> _Line:
    """Return the line through (services, quantity, weight) by least squares; flat where it would fall."""
    weight = sum(count for _, _, count in points)
    middle = sum(count * x for x, _, count in points) / weight
    level = sum(count * y for _, y, count in points) / weight
    spread = sum(count * (x - middle) ** 2 for x, _, count in points)
    slope = sum(count * (x - middle) * (y - level) for x, y, count in points) / spread if spread else 0.0
    if slope < 0 or level - slope * middle < 0:
        return _Line(level, 0.0)
    return _Line(level - slope * middle, slope)


def _fit_spread(points: list[tuple[float, float, int]], line: _Line) -> float:
    """Return how far the line is from the points, relative to them."""
    errors = [abs(y - line.of(1, x)) / y for x, y, _ in points if y]
    return mean(errors) if errors else 0.0


def _between_sessions(rehearsals: Rehearsals, value: Value) -> float:
    """Return the relative deviation of the mean of all targets, between sessions of one template."""
    by_template: dict[str, list[float]] = {}
    for observation in rehearsals.observations:
        known = _mean_of(observation, value)
        if known is not None:
            by_template.setdefault(observation.template, []).append(known)
    spreads = [
        stdev(values) / mean(values) for values in by_template.values() if len(values) > 1 and mean(values)
    ]
    return mean(spreads) if spreads else 0.0


def _mean_of(observation: Observation, value: Value) -> float | None:
    known = [each for seen in observation.targets.values() if (each := value(seen)) is not None]
    return mean(known) if known else None


def _logged(rehearsals: Rehearsals, name: Quantity, value: Value) -> QuantityForecast:
    """Add up what logs show, for the hosts whose stand-ins' logs can show it: others' may say more."""
    total, hosts, in_part = 0.0, 0, 0
    for each in rehearsals.classes:
        measured = each.mean(value)
        if measured is not None:
            total += each.host_class.hosts * measured[0] / measured[1]
            hosts += each.host_class.hosts
            in_part += sum(
                any(seen.log_read_in_part and value(seen) is not None for seen in sessions)
                for sessions in each.targets
            )
    if not hosts:
        return QuantityForecast(name=name, expected=None, basis="no stand-in's log can show it")
    spread = max(_SPREAD, _between_sessions(rehearsals, value))
    # Counts vary by their root even if nothing else does.
    deviation = sqrt((spread * total) ** 2 + total)
    basis = f"in the logs of stand-ins for {hosts:,} of {rehearsals.hosts:,} hosts; others are not counted"
    if in_part:
        basis += f"; {counted(in_part, 'log')} not searched to the end may have more"
    return QuantityForecast(name=name, expected=_around(total, deviation), basis=basis, at_least=in_part > 0)


def _harm(rehearsals: Rehearsals) -> QuantityForecast:
    """Return how many hosts die or turn unhealthy, of those that have a target."""
    strata = []
    for each in rehearsals.classes:
        harmed = each.mean(lambda seen: float(seen.harmed))
        if harmed is not None:
            strata.append(Stratum(each.host_class.hosts, *harmed))
    found = expect(strata, [("harmed",)] * len(strata)).get("harmed")
    count = sum(stratum.targets for stratum in strata)
    basis = (
        f"targets that died or turned unhealthy, of {count:,}; {rehearsals.hosts_covered:,} hosts have one"
    )
    return QuantityForecast(name="harmed", expected=found, basis=basis)


def _around(value: float, deviation: float) -> Expected:
    reach = _DEVIATIONS * deviation
    return Expected(value=value, low=max(0.0, value - reach), high=value + reach)
