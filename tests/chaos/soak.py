"""Many sessions, a few at a time, and whether anything grows: `make soak N=50`, on a fleet with `FLEET=1`."""

import argparse
import asyncio
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from campaign import opened_world
from fleet_world import FleetWorld, open_fleet_world
from invariants import Row, breaches, journal_events, until_ended
from one_round import AnyWorld
from world import World

MIB = 1024 * 1024
MOST_GROWTH_MIB = 24
MOST_MORE_FILES = 12
PLACES = 4
MOST_IMBALANCE = 2
"""Places of a full fleet go to whichever host ends a session first, and these three share a machine unevenly:
containers of the second and third have one control group for each engine, those of the first one each."""
ON_FLEET = {
    "APPROVAL_SESSIONS_AT_ONCE": "12",
    "APPROVAL_SESSIONS_PER_PERSON": "12",
    "APPROVAL_SESSIONS_WAITING": "1000",
    # Twelve at once share one machine's processors.
    "ORCHESTRATOR_SESSION_SECONDS": "1800",
    "ORCHESTRATOR_WAITING_SECONDS": "300",
}
"""Settings for three hosts of four places each."""

type Sample = Mapping[str, tuple[float, int]]
"""Resident MiB and open files by service."""


def sample(world: AnyWorld) -> Sample:
    """Look at every service."""
    return {
        name: (_resident_mib(service.pid), _files(service.pid)) for name, service in world.services.items()
    }


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def soak(count: int, *, fleet: bool) -> int:
    """Queue `count` sessions at once; return 0 when all completed and nothing grew."""
    templates = ("quick", "spread", "quick") if fleet else ("quick",)
    opened = open_fleet_world(managers=1, **ON_FLEET) if fleet else opened_world(own_engine=False)
    async with opened as world:
        begun = time.monotonic()
        sessions = {
            await world.start_session(template): template for template in islice(cycle(templates), count)
        }
        _say(f"{count} sessions queued after {time.monotonic() - begun:.1f} s")
        samples: list[Sample] = []
        waiting = asyncio.create_task(_until_all_ended(world, list(sessions)))
        while not waiting.done():
            samples.append(sample(world))
            await asyncio.wait({waiting}, timeout=2)
        ended = await waiting
        seconds = time.monotonic() - begun
        found = await breaches(world, sessions, ended)
        completed = sum(session["outcome"] == "completed" for session in ended.values())
        _say(f"{completed} of {count} completed in {seconds:.0f} s")
        found += [
            f"session {each}: {session['outcome']}: {session['reason']}"
            for each, session in ended.items()
            if session["outcome"] != "completed"
        ]
        if isinstance(world, FleetWorld):
            found += _placement(world)
        found += await _journal_that_stays(world)
        grew = _table(samples)
    for breach in found:
        _say(f"BREACH {breach}")
    return int(bool(found) or completed < count or grew)


@dataclass(slots=True)
class Carried:
    """What one host carried, of all sessions."""

    sessions: int = 0
    targets: int = 0
    at_once: int = 0
    most_at_once: int = 0


def carried(rows: Iterable[Row]) -> dict[str, Carried]:
    """Return what each host carried, by a journal's events."""
    found: dict[str, Carried] = defaultdict(Carried)
    hosts_of: dict[str, set[str]] = {}
    for _, _, session, kind, data in rows:
        if kind == "session_placed":
            hosts_of[session] = {*data["targets"], data["collectors"]}
            for name in hosts_of[session]:
                host = found[name]
                host.sessions += 1
                host.targets += data["targets"].get(name, 0)
                host.at_once += 1
                host.most_at_once = max(host.most_at_once, host.at_once)
        elif kind == "session_ended":
            for name in hosts_of.get(session, ()):
                found[name].at_once -= 1
    return found


def unbalanced(hosts: Mapping[str, Carried], names: Iterable[str]) -> list[str]:
    """Return what is wrong with what the hosts of these names carried."""
    found = [
        f"{name} had {hosts[name].most_at_once} sessions at once, of {PLACES}"
        for name in names
        if hosts[name].most_at_once > PLACES
    ]
    found += [
        f"{name} had {hosts[name].most_at_once} sessions at once at most, and {PLACES} places"
        for name in names
        if hosts[name].most_at_once < PLACES
    ]
    targets = {name: hosts[name].targets for name in names}
    if max(targets.values()) > MOST_IMBALANCE * min(targets.values()):
        found.append(f"one host had more than {MOST_IMBALANCE} times the targets of another: {targets}")
    return found


def _placement(world: FleetWorld) -> list[str]:
    """Print what each host carried; return what is wrong with it."""
    hosts = carried(journal_events(world))
    _say("| host | sessions | targets | sessions at once |\n|---|---|---|---|")
    for name in world.lab.hosts:
        _say(f"| {name} | {hosts[name].sessions} | {hosts[name].targets} | {hosts[name].most_at_once} |")
    return unbalanced(hosts, world.lab.hosts)


async def _journal_that_stays(world: AnyWorld) -> list[str]:
    """Print the size of the journal; return that it is kept for more than a week, where that can be tried."""
    journal = (world.journal_folder / "journal.sqlite3").stat().st_size / MIB
    events = len(journal_events(world))
    if isinstance(world, FleetWorld):
        _say(f"journal: {events} events, {journal:.1f} MiB\n")
        return []
    kept = await _kept_after_a_week(world)
    _say(f"journal: {events} events, {journal:.1f} MiB; {kept} events a week later\n")
    return [f"the journal keeps {kept} acknowledged events for more than a week"] if kept else []


async def _until_all_ended(world: AnyWorld, session_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    ended: dict[UUID, dict[str, Any]] = {}
    for start in range(0, len(session_ids), 4):
        ended |= await until_ended(world, session_ids[start : start + 4])
    return ended


async def _kept_after_a_week(world: World) -> int:
    """Let the orchestrator's clock be 8 days ahead; return how many events it then has."""
    world.set_clock("orchestrator", 8 * 86_400)
    end = time.monotonic() + 30
    while (kept := len(await asyncio.to_thread(journal_events, world))) and time.monotonic() < end:
        await asyncio.sleep(1)
    return kept


def _table(samples: list[Sample]) -> bool:
    """Print first and last fifth of the samples of each service; return whether something grew."""
    fifth = max(1, len(samples) // 5)
    # The first sessions load what later ones use.
    early, late = samples[fifth : 2 * fifth] or samples, samples[-fifth:]
    _say("| service | MiB early | MiB late | most | files early | files late |\n|---|---|---|---|---|---|")
    grew = False
    for name in samples[0]:
        mib, files = (
            [median(each[name][part] for each in which) for which in (early, late)] for part in (0, 1)
        )
        most = max(each[name][0] for each in samples)
        _say(f"| {name} | {mib[0]:.0f} | {mib[1]:.0f} | {most:.0f} | {files[0]:.0f} | {files[1]:.0f} |")
        grew |= mib[1] - mib[0] > MOST_GROWTH_MIB or files[1] - files[0] > MOST_MORE_FILES
    return grew


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Run it and exit 1 when something grew, or a session did not complete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--fleet", action="store_true", help="on three hosts (inside of with-own-engine)")
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("it mounts small disks: run it as root")
    sys.exit(asyncio.run(soak(chosen.sessions, fleet=chosen.fleet)))


if __name__ == "__main__":
    main()
