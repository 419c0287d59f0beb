"""How long the collector `network` takes on networks of several sizes, for forecasts of duration."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from statistics import mean

from bench.network.hosts import Host, read_networks
from bench.network.running import RunningNetwork, build_image, running_network
from bench.network.scans import by_collector
from bench.results import PartResult, Table
from bench.turns import Setting
from dryrun_contract.collector_config import Profile

ABOUT = """\
Parts of the bench's own networks ([bench/network](../bench/network/README.md)), scanned by the collector
`network` with a collector's limits: on `odd-ports` a host has one server, on `default-ports` several, so that
hosts and services can be told apart. Each part is scanned once, twice and, by `quick`, three times over: a
rehearsal has a target of every class, so the slowest server is in it already, and what a real network has
more of is more of the same. So each network has seconds of its own that any scan of it takes; seconds a host
and seconds a service are those of all networks. By least squares of the relative errors, no growth negative.
[The forecast of a real network](../docs/forecast.md) scales a rehearsal's duration by them
(`approval_api.forecasting.duration`)."""
HOSTS = {"odd-ports": 20, "default-ports": 13, "company": 20}
"""Hosts of each network. Fewer say little: whether one of them is slow to say who it is decides alone."""
COPIES: Mapping[Profile, int] = {"quick": 3, "full": 2}
"""Each number of them is measured, up to this; more would not fit into the network, or take too long."""


@dataclass(frozen=True)
class Point:
    """One scan."""

    network: str
    hosts: int
    services: int
    seconds: float


@dataclass(frozen=True)
class Fit:
    """Seconds: of any scan of a network, a host, a service; and the largest relative error of all scans."""

    fixed: Mapping[str, float]
    host: float
    service: float
    error: float

    def seconds(self, point: Point) -> float:
        """Return what a scan takes by it."""
        return self.fixed[point.network] + self.host * point.hosts + self.service * point.services


async def measure(setting: Setting) -> PartResult:
    """Scan each network by both profiles, the smallest part first, and fit."""
    setting.say("building the image of the servers; minutes at first, then a moment")
    await asyncio.to_thread(build_image)
    points: dict[Profile, list[Point]] = {"quick": [], "full": []}
    networks = read_networks()
    for name, size in HOSTS.items():
        some = _spread(networks[name], size)
        every = copied(some, max(COPIES.values()))
        parts: list[tuple[Profile, Sequence[Host]]] = [
            (profile, every[: len(some) * copies])
            for profile, most in COPIES.items()
            for copies in range(1, most + 1)
        ]
        setting.say(f"{name}: starting {len(every)} hosts")
        with running_network(name, every) as network:
            for profile, hosts in parts:
                for _ in range(setting.amount(1, long=3)):
                    setting.say(f"{name}: {profile} on {len(hosts)} hosts")
                    points[profile].append(await asyncio.to_thread(scanned, network, profile, hosts))
    return PartResult(
        part="duration",
        title="Duration over the size of a network",
        about=ABOUT,
        tables=[*(_points(profile, own) for profile, own in points.items()), _fits(points)],
    )


def copied(hosts: Sequence[Host], copies: int) -> tuple[Host, ...]:
    """Return the hosts, followed by as many copies as make it so many of each, under names of their own.

    >>> [host.name for host in copied([Host("a", ()), Host("b", ())], 2)]
    ['a', 'b', 'a-2', 'b-2']
    """
    more = (replace(host, name=f"{host.name}-{copy}") for copy in range(2, copies + 1) for host in hosts)
    return (*hosts, *more)


def scanned(network: RunningNetwork, profile: Profile, hosts: Sequence[Host]) -> Point:
    """Scan some of its hosts."""
    by_name = {name: address for address, name in network.addresses.items()}
    scan = by_collector(network, profile, *(by_name[host.name] for host in hosts))
    return Point(network.name, len(hosts), sum(len(host.services) for host in hosts), scan.seconds)


def _spread(hosts: Sequence[Host], size: int) -> Sequence[Host]:
    """Choose some over the whole list, so that each size has a bit of everything."""
    return [hosts[int(number * len(hosts) / size)] for number in range(size)]


def fit(points: Sequence[Point]) -> Fit:
    """Return the proportions with the least sum of squared relative errors, no growth negative.

    >>> sizes = ((1, 1), (3, 9), (9, 4))
    >>> made = [Point(n, h, s, f + h + s / 2) for n, f in (("x", 4), ("y", 9)) for h, s in sizes]
    >>> found = fit(made)
    >>> {name: round(seconds, 6) for name, seconds in found.fixed.items()}
    {'x': 4.0, 'y': 9.0}
    >>> round(found.host, 6), round(found.service, 6), round(found.error, 6)
    (1.0, 0.5, 0.0)
    """
    networks = list(dict.fromkeys(each.network for each in points))
    fits: list[Fit] = []
    # The least one without negative growth leaves some out and is the least one of the others.
    for kept in ((1, 1), (1, 0), (0, 1), (0, 0)):
        columns = [
            [*(float(name == each.network) for name in networks),
             *compress((float(each.hosts), float(each.services)), kept)]
            for each in points
        ]  # fmt: skip
        some = _least_squares(
            [[value / each.seconds for value in row] for row, each in zip(columns, points, strict=True)]
        )
        if some is None or any(growth < 0 for growth in some[len(networks) :]):
            continue
        growths = iter(some[len(networks) :])
        host, service = (next(growths) if one else 0.0 for one in kept)
        found = Fit(dict(zip(networks, some, strict=False)), host, service, 0.0)
        fits.append(replace(found, error=max(map(partial(_error, found), points))))
    return min(fits, key=lambda each: sum(_error(each, point) ** 2 for point in points))


def _error(found: Fit, point: Point) -> float:
    return abs(found.seconds(point) / point.seconds - 1)


def _least_squares(rows: Sequence[Sequence[float]]) -> list[float] | None:
    """Return the x for which every row times x is nearest to 1; None where several are."""
    size = len(rows[0])
    # Normal equations, by Gauss: five unknowns of like size need no better.
    table = [[sum(row[i] * row[j] for row in rows) for j in range(size)] + [sum(row[i] for row in rows)]
             for i in range(size)]  # fmt: skip
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(table[row][column]))
        if abs(table[pivot][column]) < 1e-12:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        for row in range(size):
            if row != column:
                factor = table[row][column] / table[column][column]
                table[row] = [a - factor * b for a, b in zip(table[row], table[column], strict=True)]
    return [table[row][size] / table[row][row] for row in range(size)]


def _points(profile: Profile, points: Sequence[Point]) -> Table:
    found = fit(points)
    return Table(
        title=f"`{profile}`",
        columns=["network", "hosts", "services", "seconds", "by the fit"],
        rows=[
            [
                each.network,
                str(each.hosts),
                str(each.services),
                f"{each.seconds:.1f}",
                f"{found.seconds(each):.1f}",
            ]
            for each in points
        ],
    )


def _fits(points: dict[Profile, list[Point]]) -> Table:
    fits = {profile: fit(own) for profile, own in points.items()}
    return Table(
        title="Proportions",
        columns=["profile", "any scan, mean of the networks", "a host", "a service", "largest error"],
        rows=[
            [
                f"`{profile}`",
                f"{mean(each.fixed.values()):.1f} s",
                f"{each.host:.2f} s",
                f"{each.service:.2f} s",
                f"{each.error:.0%}",
            ]
            for profile, each in fits.items()
        ],
    )
