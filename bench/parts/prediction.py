"""What rehearsals on stand-ins predict of a network that no template resembles, beside what happens there."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.network.hosts import read_networks
from bench.network.rehearsals import ProductionRun, checked, imported, in_production, rehearse, scan_to
from bench.network.running import RunningNetwork, build_image, running_network
from bench.results import Measured, PartResult, Table
from bench.system import Sessions, running_sessions
from bench.turns import Setting
from dryrun_contract.check import CheckedGroup, Comparison, GroupKind
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
"""Runs whose median counts, for each quantity: two runs of one network differ by a fifth."""
KINDS = {"service": "ports", "product": "products"}
_CLEAR = 0.5
MOST_POINTS = 0.05
MOST_PART = 0.25
"""Shares differ by points; seconds and packets by parts of what was measured."""


@dataclass(frozen=True)
class Share:
    """Of what the inventory has and stand-ins speak for: how much is found, as expected and in each run."""

    total: int
    covered: int
    predicted: float
    found: tuple[float, ...]

    @property
    def measured(self) -> float:
        """In the median run."""
        return median(self.found)


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


async def _produced(network: RunningNetwork, profile: Profile, setting: Setting) -> list[ProductionRun]:
    runs = []
    for number in range(1, PRODUCTION_RUNS + 1):
        setting.say(f"{profile} on the network itself, {number}")
        runs.append(await asyncio.to_thread(in_production, network, profile))
    return runs


async def _compared(
    sessions: Sessions,
    runs: Sequence[ProductionRun],
    profile: Profile,
    seeds: Sequence[int],
    setting: Setting,
) -> tuple[Table, Table]:
    rehearsals = []
    for seed in seeds:
        setting.say(f"{profile} on the stand-ins, seed {seed}")
        rehearsals.append(await rehearse(sessions, f"bench-{seed}", profile, seed))
    together = [await checked(sessions, rehearsals, run) for run in runs]
    alone = [[await checked(sessions, [each], run) for run in runs] for each in rehearsals]
    return table(profile, together, alone), differences(profile, together)


def share(comparisons: Sequence[Comparison], kind: str) -> Share:
    """Return what of a kind was expected, and what each production run found."""
    total = next(each.total for each in comparisons[0].of("kind") if each.name == kind)
    runs = [_covered(comparison, "place" if kind == "service" else "product") for comparison in comparisons]
    covered = sum(each.total for each in runs[0])
    expected = sum(each.predicted.value for each in runs[0] if each.predicted is not None)
    found = tuple(sum(each.outcome for each in run) / covered for run in runs)
    return Share(total, covered, expected / covered, found)


def _covered(comparison: Comparison, what: GroupKind) -> list[CheckedGroup]:
    """Return the places or products that stand-ins speak for."""
    return [each for each in comparison.of(what) if each.predicted is not None and not each.unknown]


def table(profile: Profile, together: Sequence[Comparison], alone: Sequence[Sequence[Comparison]]) -> Table:
    """Return predicted beside measured: by all rehearsals together, and by each alone.

    Both as compared with each production run.
    """
    rows = []
    for kind, name in KINDS.items():
        found = share(together, kind)
        difference = found.predicted - found.measured
        rows.append(
            [
                f"{name} found, of {found.covered} of {found.total}",
                f"{found.measured:.2f}",
                ", ".join(f"{each:.2f}" for each in found.found),
                f"{found.predicted:.2f}",
                f"{difference:+.3f}",
                "yes" if abs(difference) <= MOST_POINTS else "no",
                ", ".join(
                    f"{each.predicted:.2f} for {each.measured:.2f}"
                    for each in (share(one, kind) for one in alone)
                ),
            ]
        )
    for number, quantity in enumerate(together[0].quantities):
        outcomes = [one.quantities[number].outcome for one in together]
        predicted = quantity.predicted.value
        difference = predicted / median(outcomes) - 1
        rows.append(
            [
                quantity.name,
                f"{median(outcomes):,.0f}",
                ", ".join(f"{each:,.0f}" for each in outcomes),
                f"{predicted:,.0f}",
                f"{difference:+.1%}",
                "yes" if abs(difference) <= MOST_PART else "no",
                ", ".join(f"{one[0].quantities[number].predicted.value:,.0f}" for one in alone),
            ]
        )
    columns = [
        "", "measured", "in each run", "predicted", "difference", "within the goal", "by one rehearsal alone",
    ]  # fmt: skip
    return Table(title=f"Predicted and measured: {profile}", columns=columns, rows=rows)


def differences(profile: Profile, together: Sequence[Comparison]) -> Table:
    """Return the places and products that a production run found otherwise than expected."""
    rows = []
    whats: tuple[GroupKind, ...] = ("place", "product")
    for what in whats:
        for groups in zip(*(_covered(one, what) for one in together), strict=True):
            predicted, outcomes = groups[0].predicted, [each.outcome for each in groups]
            if predicted and any(abs(predicted.value - each) >= _CLEAR for each in outcomes):
                found = ", ".join(map(str, outcomes))
                rows.append([groups[0].name, f"{groups[0].total}", f"{predicted.value:.1f}", found])
    columns = ["", "there", "expected", "found in each run"]
    return Table(title=f"Where they differ: {profile}", columns=columns, rows=rows)
