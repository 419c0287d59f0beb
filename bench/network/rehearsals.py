"""What an operator does with a running network: scan it, import the scan, rehearse on the stand-ins."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench.network.running import RunningNetwork, received_packets
from bench.network.scans import Scan, by_collector, nmap_xml
from bench.system import Sessions
from dryrun_contract.check import Check, CheckRequest, Comparison
from dryrun_contract.collector_config import Profile
from dryrun_contract.production_counts import ProductionCounts
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Phase

ROOT = Path(__file__).resolve().parents[2]
ALL_PORTS = ("-p-", "-sV", "-T4")
_IMPORT_SECONDS = 900


@dataclass(frozen=True)
class ProductionRun:
    """What a profile did to the network itself."""

    scan: Scan
    packets: int
    """Received by its hosts, all together."""

    @property
    def outcome(self) -> ProductionCounts:
        """The run as the counts that a forecast is compared with."""
        return ProductionCounts(
            hosts=len({host for host, _ in self.scan.found}),
            places=Counter(f"{port}/tcp" for _, port in self.scan.found),
            products=Counter(product for product in self.scan.found.values() if product),
            seconds=self.scan.seconds,
            packets=self.packets,
        )


@dataclass(frozen=True)
class Rehearsal:
    """One session on the stand-ins."""

    seed: int
    profile: Profile
    session_id: UUID


def scan_to(file: Path, network: RunningNetwork) -> float:
    """Write nmap's XML of all ports of the network; return the seconds that it took."""
    begin = time.monotonic()
    file.write_text(nmap_xml(network, ALL_PORTS))
    return time.monotonic() - begin


def in_production(network: RunningNetwork, profile: Profile) -> ProductionRun:
    """Run the collector on the network itself."""
    before = received_packets(network)
    scan = by_collector(network, profile, *network.addresses)
    after = received_packets(network)
    return ProductionRun(scan, sum(after.values()) - sum(before.values()))


@contextmanager
def imported(file: Path, name: str, seed: int) -> Iterator[float]:
    """Import the scan as a replica of this checkout and remove it in the end; yields the seconds it took."""
    begin = time.monotonic()
    _local("network", "import", str(file), "--name", name, "--seed", str(seed))
    try:
        yield time.monotonic() - begin
    finally:
        _local("network", "remove", name)


async def rehearse(sessions: Sessions, template: str, profile: Profile, seed: int) -> Rehearsal:
    """Run one session with the collector `network` to its end."""
    scan = ScanChoice(collectors=("network",), profile=profile)
    session_id = await sessions.start(template, seed=seed, scan=scan)
    await sessions.until(session_id, Phase.ENDED)
    return Rehearsal(seed, profile, session_id)


async def checked(sessions: Sessions, rehearsals: Sequence[Rehearsal], run: ProductionRun) -> Comparison:
    """Return what these rehearsals together forecast, beside what the run in production was."""
    first, *more = (each.session_id for each in rehearsals)
    request = CheckRequest(outcome=run.outcome, sessions=tuple(more))
    answer = await sessions.client.ask(
        "POST", f"/dryrun/sessions/{first}/checks", body=request.model_dump(mode="json")
    )
    return Check.model_validate(answer).comparison


def _local(*arguments: str) -> None:
    command = [str(ROOT / ".venv" / "bin" / "dryrun-local"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(
            f"dryrun-local {arguments[0]} {arguments[1]}: {(done.stdout + done.stderr)[-1500:]}"
        )
