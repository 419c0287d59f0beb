"""What rehearsals on stand-ins predict of a network that no template resembles, beside what happens there."""

import asyncio
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.network.hosts import read_networks
from bench.network.rehearsals import ProductionRun, Rehearsal, imported, in_production, rehearse, scan_to
from bench.network.running import RunningNetwork, build_image, running_network
from bench.network.scans import score
from bench.results import Measured, PartResult, Table
from bench.system import Sessions, running_sessions
from bench.turns import Setting
from dryrun_contract.collector_config import Profile

ABOUT = """\
The network `company` ([bench/network](../bench/network/README.md)): several servers on most hosts, most off
their usual ports, some that no recipe knows. Plain nmap scans all its ports; its XML is imported with five
seeds, each of which chooses other hosts for its 20 targets; sessions on the stand-ins run the collector
`network`. The same collector, in the same container, scans the network itself. What the rehearsals'
forecasts expect is compared with what was found and with what it took."""
NETWORK = "company"
SEEDS = 5
PROFILES: tuple[Profile, ...] = ("quick", "full")
MOST_DIFFERENCE = {"ports": 0.05, "products": 0.05, "seconds": 0.25, "packets": 0.25}
"""Shares differ by points; seconds and packets by parts of what was measured."""


@dataclass(frozen=True)
class Outcome:
    """One scan in figures: shares of what is there, seconds, packets."""

    figures: Mapping[str, float]


async def measure(setting: Setting) -> PartResult:
    """Scan, import, rehearse by every seed, run in production, compare."""
    setting.say("building the image of the servers; minutes at first, then a moment")
    await asyncio.to_thread(build_image)
    seeds = range(setting.rounds(SEEDS, long=SEEDS))
    with tempfile.TemporaryDirectory(prefix="dp-") as folder:
        scan = Path(folder) / "scan.xml"
        with running_network(NETWORK, read_networks()[NETWORK]) as network:
            setting.say("plain nmap scans all ports")
            seconds = await asyncio.to_thread(scan_to, scan, network)
            runs = {profile: await _produced(network, profile, setting) for profile in PROFILES}
        with ExitStack() as exits:
            imports = []
            for seed in seeds:
                setting.say(f"import with seed {seed}")
                imports.append(exits.enter_context(imported(scan, f"bench-{seed}", seed)))
            async with running_sessions() as sessions:
                rehearsals = [
                    await _rehearsed(sessions, profile, seed, setting)
                    for profile in PROFILES
                    for seed in seeds
                ]
    return PartResult(
        part="prediction",
        title="What rehearsals predict",
        about=ABOUT,
        measured=[
            Measured(name="plain nmap of all ports", values=[seconds]),
            Measured(name="import of its XML, the first", values=imports[:1]),
            *([Measured(name="import, another seed", values=imports[1:])] if imports[1:] else []),
        ],
        tables=[table(profile, runs[profile], rehearsals) for profile in PROFILES],
    )


async def _produced(network: RunningNetwork, profile: Profile, setting: Setting) -> Outcome:
    setting.say(f"{profile} on the network itself")
    return measured_in(network, await asyncio.to_thread(in_production, network, profile))


async def _rehearsed(sessions: Sessions, profile: Profile, seed: int, setting: Setting) -> Rehearsal:
    setting.say(f"{profile} on the stand-ins, seed {seed}")
    return await rehearse(sessions, f"bench-{seed}", profile, seed)


def measured_in(network: RunningNetwork, run: ProductionRun) -> Outcome:
    """Return what a run in production found and took."""
    judged = score(network.hosts, run.scan.found)
    return Outcome(
        {
            "ports": judged.ports / judged.all_ports,
            "products": judged.products / judged.all_products,
            "seconds": run.scan.seconds,
            "packets": float(run.packets),
        }
    )


def expected_by(rehearsal: Rehearsal) -> Outcome:
    """Return what the forecast of a rehearsal expects of the network; of what no stand-in covers, nothing."""
    forecast = rehearsal.report["network_forecast"]
    kinds = {kind["name"]: kind for kind in forecast["kinds"]}
    quantities = {
        each["name"]: each["expected"]["value"] for each in forecast["quantities"] if each["expected"]
    }
    return Outcome(
        {
            "ports": kinds["service"]["found"]["value"] / kinds["service"]["covered"],
            "products": kinds["product"]["found"]["value"] / kinds["product"]["covered"],
            "seconds": quantities["seconds"],
            "packets": quantities["packets"],
        }
    )


def table(profile: Profile, run: Outcome, rehearsals: Sequence[Rehearsal]) -> Table:
    """Return predicted beside measured: the mean over seeds, and each."""
    expected = [expected_by(each) for each in rehearsals if each.profile == profile]
    rows = []
    for what, most in MOST_DIFFERENCE.items():
        values = [each.figures[what] for each in expected]
        mean, there = statistics.mean(values), run.figures[what]
        difference = mean - there if what in {"ports", "products"} else mean / there - 1
        rows.append(
            [
                what,
                f"{there:.3g}",
                f"{mean:.3g} ({', '.join(f'{value:.3g}' for value in values)})",
                f"{difference:+.3f}",
                "yes" if abs(difference) <= most else "no",
            ]
        )
    columns = ["", "measured", "predicted (by seed)", "difference", "within the goal"]
    return Table(title=f"Predicted and measured: {profile}", columns=columns, rows=rows)
