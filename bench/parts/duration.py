"""How long the collector `network` takes on networks of several sizes, for forecasts of duration."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.network.hosts import read_networks
from bench.network.running import RunningNetwork, build_image, running_network
from bench.network.scans import by_collector
from bench.results import PartResult, Table
from bench.turns import Setting
from dryrun_contract.collector_config import Profile

ABOUT = """\
Parts of the bench's own networks ([bench/network](../bench/network/README.md)), scanned by the collector
`network` with a collector's limits: on `odd-ports` a host has one server, on `default-ports` several, so that
hosts and services can be told apart. Through all scans of a profile go three proportions: seconds that any
scan takes, seconds a host, seconds a service, by least squares of the relative errors, none of them negative.
[The forecast of a real network](../docs/forecast.md) scales a rehearsal's duration by them
(`approval_api.forecasting.duration`)."""
SIZES: dict[str, dict[Profile, tuple[int, ...]]] = {
    "odd-ports": {"quick": (6, 12, 24, 40), "full": (3, 8)},
    "default-ports": {"quick": (4, 8, 13), "full": (2, 5)},
}
"""Hosts. Fewer say little: whether one of them is slow to say who it is decides alone."""


@dataclass(frozen=True)
class Point:
    """One scan."""

    network: str
    hosts: int
    services: int
    seconds: float


@dataclass(frozen=True)
class Fit:
    """Seconds: of any scan, a host, a service; and the largest relative error over all scans."""

    fixed: float
    host: float
    service: float
    error: float


async def measure(setting: Setting) -> PartResult:
    """Scan parts of both networks by both profiles, the smallest first, and fit."""
    setting.say("building the image of the servers; minutes at first, then a moment")
    await asyncio.to_thread(build_image)
    points: dict[Profile, list[Point]] = {"quick": [], "full": []}
    networks = read_networks()
    for name, sizes in SIZES.items():
        setting.say(f"{name}: starting {len(networks[name])} hosts")
        with running_network(name, networks[name]) as network:
            for profile, size in [(profile, size) for profile, own in sizes.items() for size in own]:
                for _ in range(setting.amount(1, long=3)):
                    setting.say(f"{name}: {profile} on {size} hosts")
                    points[profile].append(await asyncio.to_thread(scanned, network, profile, size))
    return PartResult(
        part="duration",
        title="Duration over the size of a network",
        about=ABOUT,
        tables=[*(_points(profile, own) for profile, own in points.items()), _fits(points)],
    )


def scanned(network: RunningNetwork, profile: Profile, size: int) -> Point:
    """Scan some hosts, chosen over the whole list, so that each size has a bit of everything."""
    step = len(network.hosts) / size
    hosts = [network.hosts[int(number * step)] for number in range(size)]
    by_name = {name: address for address, name in network.addresses.items()}
    scan = by_collector(network, profile, *(by_name[host.name] for host in hosts))
    return Point(network.name, size, sum(len(host.services) for host in hosts), scan.seconds)


def fit(points: Sequence[Point]) -> Fit:
    """Return the proportions with the least sum of squared relative errors, none of them negative.

    >>> made = [Point("x", h, s, 4 + h + s / 2) for h, s in ((1, 1), (3, 9), (9, 4), (20, 20))]
    >>> found = fit(made)
    >>> round(found.fixed, 6), round(found.host, 6), round(found.service, 6), round(found.error, 6)
    (4.0, 1.0, 0.5, 0.0)
    """
    rows = [[1 / each.seconds, each.hosts / each.seconds, each.services / each.seconds] for each in points]
    best: tuple[float, list[float]] | None = None
    # The least one without negative parts leaves some out and is the least one of the others.
    for kept in _subsets(3):
        some = _least_squares([[row[column] for column in kept] for row in rows])
        if some is None or min(some) < 0:
            continue
        parts = [0.0] * 3
        for column, value in zip(kept, some, strict=True):
            parts[column] = value
        errors = [sum(a * b for a, b in zip(row, parts, strict=True)) - 1 for row in rows]
        if best is None or sum(error**2 for error in errors) < best[0]:
            best = sum(error**2 for error in errors), parts
    assert best is not None
    fixed, host, service = best[1]
    worst = max(abs(fixed + host * each.hosts + service * each.services - each.seconds) / each.seconds
                for each in points)  # fmt: skip
    return Fit(fixed, host, service, worst)


def _subsets(columns: int) -> Iterator[tuple[int, ...]]:
    for size in range(columns, 0, -1):
        yield from combinations(range(columns), size)


def _least_squares(rows: Sequence[Sequence[float]]) -> list[float] | None:
    """Return the x for which every row times x is nearest to 1; None where several are."""
    size = len(rows[0])
    # Normal equations, by Gauss: three unknowns of like size need no better.
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
                f"{found.fixed + found.host * each.hosts + found.service * each.services:.1f}",
            ]
            for each in points
        ],
    )


def _fits(points: dict[Profile, list[Point]]) -> Table:
    fits = {profile: fit(own) for profile, own in points.items()}
    return Table(
        title="Proportions",
        columns=["profile", "any scan", "a host", "a service", "largest error"],
        rows=[
            [
                f"`{profile}`",
                f"{each.fixed:.1f} s",
                f"{each.host:.2f} s",
                f"{each.service:.2f} s",
                f"{each.error:.0%}",
            ]
            for profile, each in fits.items()
        ],
    )
