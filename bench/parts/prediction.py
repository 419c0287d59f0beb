"""What rehearsals on stand-ins predict of a network that no template resembles, beside what happens there."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.network.hosts import read_networks
from bench.network.rehearsals import ProductionRun, checked, imported, in_production, rehearse, scan_to
from bench.network.running import RunningNetwork, build_image, running_network
from bench.results import Measured, PartResult, Table
from bench.system import Sessions, running_sessions
from bench.turns import Setting
from dryrun_contract.check import Comparison
from dryrun_contract.collector_config import Profile

ABOUT = """\
The network `{network}` ([bench/network](../bench/network/README.md)): several servers on most hosts, most off
their usual ports, some that no recipe knows. Plain nmap scans all its ports; its XML is imported with five
seeds, of which each takes other hosts for its 20 targets; sessions on the stand-ins run the collector
`network`. The same collector, in the same container, scans the network itself, and the forecast that the
sessions make together ([forecast.md](forecast.md)) is checked against that run. Shares are those of what
stand-ins speak for, on both sides."""
SEEDS = 5
PROFILES: tuple[Profile, ...] = ("quick", "full")
PRODUCTION_RUNS = 3
"""The run of the median duration counts: two runs of one network differ by a fifth."""
KINDS = {"service": "ports", "product": "products"}
_CLEAR = 0.5
MOST_POINTS = 0.05
MOST_PART = 0.25
"""Shares differ by points; seconds and packets by parts of what was measured."""


@dataclass(frozen=True)
class Share:
    """Of what the inventory has and stand-ins speak for: how much is found, as expected and as it was."""

    total: int
    covered: int
    predicted: float
    measured: float


async def measure(setting: Setting) -> PartResult:
    """Measure with the network `company`."""
    return await measured_on("company", "prediction", setting)


async def measured_on(name: str, part: str, setting: Setting) -> PartResult:
    """Scan the network, import it, rehearse by every seed, run in production, compare."""
    setting.say("building the image of the servers; minutes at first, then a moment")
    await asyncio.to_thread(build_image)
    seeds = range(setting.rounds(SEEDS, long=SEEDS))
    with tempfile.TemporaryDirectory(prefix="dp-") as folder:
        scan = Path(folder) / "scan.xml"
        with running_network(name, read_networks()[name]) as network:
            setting.say("plain nmap scans all ports")
            seconds = await asyncio.to_thread(scan_to, scan, network)
            runs = {profile: await _produced(network, profile, setting) for profile in PROFILES}
        with ExitStack() as exits:
            imports = []
            for seed in seeds:
                setting.say(f"import with seed {seed}")
                imports.append(exits.enter_context(imported(scan, f"bench-{seed}", seed)))
            tables: list[Table] = []
            async with running_sessions() as sessions:
                for profile in PROFILES:
                    tables += await _compared(sessions, runs[profile], profile, seeds, setting)
    return PartResult(
        part=part,
        title=f"What rehearsals predict: {name}",
        about=ABOUT.format(network=name),
        measured=[
            Measured(name="plain nmap of all ports", values=[seconds]),
            Measured(name="import of its XML, the first", values=imports[:1]),
            *([Measured(name="import, another seed", values=imports[1:])] if imports[1:] else []),
        ],
        tables=tables,
    )


async def _produced(network: RunningNetwork, profile: Profile, setting: Setting) -> ProductionRun:
    runs = []
    for number in range(1, PRODUCTION_RUNS + 1):
        setting.say(f"{profile} on the network itself, {number}")
        runs.append(await asyncio.to_thread(in_production, network, profile))
    return sorted(runs, key=lambda run: run.scan.seconds)[len(runs) // 2]


async def _compared(
    sessions: Sessions, run: ProductionRun, profile: Profile, seeds: Sequence[int], setting: Setting
) -> tuple[Table, Table]:
    rehearsals = []
    for seed in seeds:
        setting.say(f"{profile} on the stand-ins, seed {seed}")
        rehearsals.append(await rehearse(sessions, f"bench-{seed}", profile, seed))
    together = await checked(sessions, rehearsals, run)
    alone = [await checked(sessions, [each], run) for each in rehearsals]
    return table(profile, together, alone), differences(profile, together)


def share(comparison: Comparison, kind: str) -> Share:
    """Return what of a kind was expected and found, of the places or products that stand-ins speak for."""
    whole = next(each for each in comparison.of("kind") if each.name == kind)
    groups = [
        each
        for each in comparison.of("place" if kind == "service" else "product")
        if each.predicted is not None and not each.unknown
    ]
    covered = sum(each.total for each in groups)
    expected = sum(each.predicted.value for each in groups if each.predicted is not None)
    return Share(
        total=whole.total,
        covered=covered,
        predicted=expected / covered,
        measured=sum(each.outcome for each in groups) / covered,
    )


def table(profile: Profile, together: Comparison, alone: Sequence[Comparison]) -> Table:
    """Return predicted beside measured: by all rehearsals together, and by each alone."""
    rows = []
    for kind, name in KINDS.items():
        found = share(together, kind)
        difference = found.predicted - found.measured
        rows.append(
            [
                f"{name} found, of {found.covered} of {found.total}",
                f"{found.measured:.2f}",
                f"{found.predicted:.2f}",
                f"{difference:+.3f}",
                "yes" if abs(difference) <= MOST_POINTS else "no",
                ", ".join(
                    f"{each.predicted:.2f} for {each.measured:.2f}"
                    for each in (share(one, kind) for one in alone)
                ),
            ]
        )
    for number, quantity in enumerate(together.quantities):
        predicted = quantity.predicted.value
        difference = predicted / quantity.outcome - 1
        rows.append(
            [
                quantity.name,
                f"{quantity.outcome:,.0f}",
                f"{predicted:,.0f}",
                f"{difference:+.1%}",
                "yes" if abs(difference) <= MOST_PART else "no",
                ", ".join(f"{one.quantities[number].predicted.value:,.0f}" for one in alone),
            ]
        )
    columns = ["", "measured", "predicted", "difference", "within the goal", "by one rehearsal alone"]
    return Table(title=f"Predicted and measured: {profile}", columns=columns, rows=rows)


def differences(profile: Profile, together: Comparison) -> Table:
    """Return the places and products that were expected otherwise than they were found."""
    rows = [
        [group.name, f"{group.total}", f"{group.predicted.value:.1f}", f"{group.outcome}"]
        for what in ("place", "product")
        for group in together.of(what)
        if group.predicted is not None
        and not group.unknown
        and abs(group.predicted.value - group.outcome) >= _CLEAR
    ]
    columns = ["", "there", "expected", "found"]
    return Table(title=f"Where they differ: {profile}", columns=columns, rows=rows)
