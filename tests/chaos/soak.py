"""Many sessions, a few at a time, and whether anything grows: `make soak N=50`."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from campaign import opened_world
from invariants import breaches, journal_events, until_ended
from world import World

MIB = 1024 * 1024
MOST_GROWTH_MIB = 24
MOST_MORE_FILES = 12

type Sample = Mapping[str, tuple[float, int]]
"""Resident MiB and open files by service."""


def sample(world: World) -> Sample:
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


async def soak(count: int) -> int:
    """Queue `count` sessions at once; return 0 when all completed and nothing grew."""
    async with opened_world(own_engine=False) as world:
        begun = time.monotonic()
        sessions = {await world.start_session("quick"): "quick" for _ in range(count)}
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
        journal = (world.journal_folder / "journal.sqlite3").stat().st_size / MIB
        events = len(journal_events(world))
        _say(f"{completed} of {count} completed in {seconds:.0f} s")
        kept = await _kept_after_a_week(world)
        _say(f"journal: {events} events, {journal:.1f} MiB; {kept} events a week later\n")
        if kept:
            found.append(f"the journal keeps {kept} acknowledged events for more than a week")
        grew = _table(samples)
    for breach in found:
        _say(f"BREACH {breach}")
    return int(bool(found) or completed < count or grew)


async def _until_all_ended(world: World, session_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
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
    if os.geteuid() != 0:
        sys.exit("it mounts small disks: run it as root")
    sys.exit(asyncio.run(soak(parser.parse_args().sessions)))


if __name__ == "__main__":
    main()
