"""Extrapolates what the same collectors would do to a larger network, and states the assumptions."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from math import ceil, log2
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from dryrun_contract.base import Word
from dryrun_contract.event import LogPattern
from dryrun_contract.network import exact_network
from dryrun_contract.report import Forecast, ForecastLine, Report
from dryrun_contract.text import counted

WIDEST_PREFIX = 8
PACKETS_PER_EMPTY_ADDRESS = 2
"""nmap sends two ARP requests for an unused address on its own segment (`nmap --packet-trace`)."""
_ASSUMPTIONS = (
    "hosts are like this session's targets: as many services, databases and tables each",
    "the range is that of the least and the most affected target here; the figure is their mean",
    f"an unused address costs {PACKETS_PER_EMPTY_ADDRESS} packets (ARP); behind a router, more",
    "duration grows with the number of hosts at this session's pace; with more hosts at once it may be less",
)
_WITH_COMPARISON = "every collector of this session runs there, also those for comparison"


def _network(text: str) -> str:
    network = exact_network(text)
    if not isinstance(network, IPv4Network) or network.prefixlen < WIDEST_PREFIX:
        raise ValueError(f"expected an IPv4 network of at most /{WIDEST_PREFIX}, e.g. 10.20.0.0/16")
    return str(network)


type Cidr = Annotated[str, Field(max_length=40), AfterValidator(_network)]
type HostCount = Annotated[int, Field(ge=1, le=1_000_000)]


class ForecastQuestion(Word):
    """The network to forecast for, and the number of hosts that answer in it; both have defaults."""

    hosts: HostCount | None = None
    cidr: Cidr | None = None

    @model_validator(mode="after")
    def _hosts_have_room(self) -> Self:
        if self.hosts is not None and self.cidr is not None:
            room = _usable(IPv4Network(self.cidr))
            if self.hosts > room:
                raise ValueError(
                    f"{self.hosts:,} hosts have no room in {self.cidr}, which has addresses for {room:,}; "
                    "forecast for a wider network, or for fewer hosts"
                )
        return self

    def complete(self) -> tuple[int, IPv4Network]:
        """Return hosts and network: by default a full /24; for hosts alone, the smallest that holds them."""
        if self.cidr is not None:
            network = IPv4Network(self.cidr)
            return self.hosts or _usable(network), network
        hosts = self.hosts or 254
        prefix = max(WIDEST_PREFIX, 32 - ceil(log2(hosts + 2)))
        return hosts, IPv4Network(f"10.0.0.0/{prefix}")


def forecast(report: Report, question: ForecastQuestion) -> Forecast | None:
    """Return the forecast; None when the session measured nothing to extrapolate from."""
    targets = report.traffic.targets if report.traffic else {}
    scanning = report.scan_seconds()
    if not targets or scanning is None:
        return None
    hosts, network = question.complete()
    empty = max(_usable(network) - hosts, 0)
    lines = (
        _line(
            "packets",
            "packets to targets",
            [one.rx_packets for one in targets.values()],
            hosts,
            "received by targets",
            plus=empty * PACKETS_PER_EMPTY_ADDRESS,
        ),
        _line("bytes", "bytes to targets", [one.rx_bytes for one in targets.values()], hosts, "received"),
        _line(
            "answers",
            "packets from targets",
            [one.tx_packets for one in targets.values()],
            hosts,
            "sent back",
        ),
        _of_logs(report, "connections", "connections opened", hosts),
        _of_logs(report, "failed_logins", "failed logins", hosts),
        _line(
            "log lines",
            "lines in logs",
            [logs.lines for logs in (report.logs or {}).values()],
            hosts,
            "log lines that the scan caused",
            in_part=any(logs.is_partial for logs in (report.logs or {}).values()),
        ),
        ForecastLine(
            name="duration",
            unit="seconds",
            expected=round(scanning * max(1.0, hosts / len(targets)), 1),
            low=round(scanning, 1),
            high=None,
            basis=f"{scanning:.1f} s of scanning for {counted(len(targets), 'target')}",
        ),
    )
    answering = f"{hosts} of {_usable(network)} addresses of {network} answer"
    return Forecast(
        hosts=hosts,
        cidr=str(network),
        addresses=_usable(network),
        lines=lines,
        assumptions=(answering, *_ASSUMPTIONS, *((_WITH_COMPARISON,) if report.for_comparison() else ())),
    )


def _usable(network: IPv4Network) -> int:
    return network.num_addresses if network.prefixlen >= 31 else network.num_addresses - 2


def _of_logs(report: Report, pattern: LogPattern, unit: str, hosts: int) -> ForecastLine:
    name = pattern.replace("_", " ")
    logs = (report.logs or {}).values()
    return _line(
        name,
        unit,
        report.log_counts(pattern),
        hosts,
        "in logs that show them",
        in_part=any(each.is_partial and each.counts.get(pattern) is not None for each in logs),
        not_searched=sum(pattern in each.not_searched for each in logs),
    )


def _line(
    name: str,
    unit: str,
    measured: Iterable[int],
    hosts: int,
    basis: str,
    *,
    plus: int = 0,
    in_part: bool = False,
    not_searched: int = 0,
) -> ForecastLine:
    """Extrapolate a figure; of what was counted in part, and of those not searched, nobody knows the most."""
    values = list(measured)
    if not values:
        return ForecastLine(
            name=name, unit=unit, expected=None, low=None, high=None, basis="not measured in this session"
        )
    mean = sum(values) / len(values)
    basis = f"{basis}: {mean:,.0f} per target, from {len(values)} of them"
    if not_searched:
        basis += f"; {not_searched} more could not be searched for them"
    if in_part:
        basis += "; at least, as a log was not read to its end"
    return ForecastLine(
        name=name,
        unit=unit,
        expected=round(mean * hosts + plus),
        low=round(min(values) * hosts + plus),
        high=None if in_part or not_searched else round(max(values) * hosts + plus),
        basis=basis,
        at_least=in_part,
    )
