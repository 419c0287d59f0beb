"""Breaks a running system at random, reproducible moments, and checks what has to hold: `make chaos N=300`.

Each round starts sessions, breaks several things while they run, puts them right, waits for every end and
looks from outside. A round depends on the seed and its number alone, so that one can be played again.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from bystanding import POOL
from faults import FAULTS, Fault
from fleet_faults import FLEET_FAULTS
from fleet_world import open_fleet_world
from invariants import Bystanders, stored_events
from local_stack import ROOT
from odd import misbehaving
from one_round import FAULTS_A_ROUND, AnyWorld, plan, play
from own_engine import open_own_engine
from record import Record, summary
from small_disks import small_disk
from world import COLLECTOR_SECONDS, Disks, World, open_world

from dryrun_local.machine.engine_view import DEFAULT_HOST, open_engine
from dryrun_local.system.postgres import create_cluster

IMAGES = (
    "discovery/test-nginx:1.26",
    "discovery/test-redis:8.0",
    "discovery/test-collector-network:1.0",
    "discovery/test-collector-database:1.0",
    "discovery/test-collector-probe:1.0",
)
JOURNAL_MIB, DATABASE_MIB = 64, 400
"""A collector that floods leaves 10,000 discoveries in either, some 3 MB, and a world lasts many rounds."""
FLEET_FAULTS_A_ROUND = 3
MOST_WORLDS = 20
"""A campaign that has to begin anew so often has another fault than those it makes."""
KEPT = ROOT / ".dryrun" / "chaos"
"""Where logs and events of rounds with a breach stay."""

type Opened = Callable[[], AbstractAsyncContextManager[AnyWorld]]


@asynccontextmanager
async def opened_world(*, own_engine: bool, **settings: str) -> AsyncIterator[World]:
    """Make everything a campaign needs, and take it away again. `settings` are the orchestrator's."""
    async with AsyncExitStack() as exits:
        folder = Path(tempfile.mkdtemp(prefix="dc-"))
        exits.callback(shutil.rmtree, folder, ignore_errors=True)
        templates, collectors, allowlist, odd = exits.enter_context(
            misbehaving(_docker, folder, f"run-{os.getpid()}", COLLECTOR_SECONDS)
        )
        docker_host, engine = os.environ.get("DOCKER_HOST") or DEFAULT_HOST, None
        if own_engine:
            engine = await exits.enter_async_context(open_own_engine(folder, [*IMAGES, *odd]))
            docker_host = engine.docker_host
        view = await exits.enter_async_context(open_engine({"DOCKER_HOST": docker_host}))
        journal = exits.enter_context(small_disk(folder / "journal", JOURNAL_MIB))
        database = exits.enter_context(small_disk(folder / "database", DATABASE_MIB))
        await create_cluster(folder / "cluster", os.environ)
        world = await exits.enter_async_context(
            open_world(
                folder,
                folder / "cluster",
                view,
                docker_host,
                Disks(journal, database),
                (templates, collectors, allowlist),
                engine,
                settings,
            )
        )
        bystanders = Bystanders.make(world, uuid4())
        exits.callback(bystanders.remove, world)
        yield world
        harmed = list(bystanders.harmed(world))
        assert not harmed, harmed


def _docker(*arguments: str, seconds: float = 120) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=True)
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much to play, and of what."""

    faults: int
    """The record's, earlier runs' included."""
    seed: int
    known: Sequence[Fault]
    a_round: int = FAULTS_A_ROUND
    only: int | None = None
    """Play this round of the seed and no other."""
    minutes: float | None = None
    """Begin no round later than this."""


async def campaign(record: Record, wanted: Wanted, opened: Opened) -> None:
    """Play rounds until the record holds what is wanted; in a new world after one that was not put right."""
    if wanted.only is not None:
        async with opened() as world:
            await _play_one(record, wanted, wanted.only, world)
        return
    end = None if wanted.minutes is None else time.monotonic() + 60 * wanted.minutes

    def more() -> bool:
        return record.faults < wanted.faults and (end is None or time.monotonic() < end)

    worlds = 0
    while more() and worlds < MOST_WORLDS:
        worlds += 1
        async with opened() as world:
            while more():
                lacking = await _play_one(record, wanted, record.claim(wanted.seed), world)
                if lacking := lacking or await world.is_well():
                    _say(f"  the world is made anew: {lacking}")
                    break


async def _play_one(record: Record, wanted: Wanted, number: int, world: AnyWorld) -> str:
    """Play a round and say what came of it; return why the world is not to be used any more, or ""."""
    begun = time.monotonic()
    played = await play(world, wanted.seed, number, wanted.known, wanted.a_round)
    record.add(played)
    _say(
        f"round {number} ({record.faults}/{wanted.faults} faults, {time.monotonic() - begun:.0f} s): "
        f"{', '.join(played.made)}"
    )
    for name, why in played.unmade.items():
        _say(f"  not injected: {name}: {why}")
    for reason in played.reasons:
        _say(f"  {reason}")
    for breach in played.breaches:
        _say(f"  BREACH {breach}")
    if played.breaches or played.void:
        _say(f"  logs and events: {await _keep(world, KEPT / f'seed-{wanted.seed}-round-{number}')}")
    return played.void


def _other_faults(record: Record, wanted: Wanted) -> str:
    """Say that a round to be played again would have other faults than it had; "" when it has the same."""
    before = record.played.get((wanted.seed, wanted.only or 0))
    if before is None:
        return ""
    now = {fault.name for fault in plan(wanted.seed, before.number, wanted.known, wanted.a_round)[1]}
    if now == before.planned:
        return ""
    return (
        f"that round had {', '.join(sorted(before.planned))}; name faults with --fault as it was played then"
    )


def _copy(logs: Sequence[Path], kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for log in logs:
        if log.is_dir():
            shutil.copytree(log, kept, dirs_exist_ok=True)
        elif log.exists():
            # Of several hosts by the host's folder.
            shutil.copy(log, kept / "-".join(log.parts[-2:]))


async def _keep(world: AnyWorld, kept: Path) -> Path:
    await asyncio.to_thread(_copy, world.logs, kept)
    try:
        rows = await stored_events(world)
    except Exception as error:  # noqa: BLE001 a database that is down has no events; the logs say why
        rows = [{"lost": f"{type(error).__name__}: {error}"}]
    with (kept / "events.ndjson").open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows)
    return kept


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Run a campaign and print its table; exit 1 when something did not hold, 3 when it gave up early."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--round", type=int, help="play only this round of the seed")
    parser.add_argument("--fault", action="append", help="only faults with these words in their name")
    parser.add_argument("--a-round", type=int, help="so many faults a round: 6, and 3 of a fleet")
    parser.add_argument("--minutes", type=float, help="begin no round later than this")
    parser.add_argument("--state", type=Path, help="a file of rounds: continue it, and add to it")
    parser.add_argument(
        "--shared-engine", action="store_true", help="break nothing that needs an engine of our own"
    )
    parser.add_argument(
        "--fleet",
        action="store_true",
        help="break three hosts (inside of with-own-engine)",
    )
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("a campaign mounts small disks and starts an engine: run it as root")
    known = [
        fault
        for fault in (FLEET_FAULTS if chosen.fleet else FAULTS)
        if not (fault.needs_own_engine and chosen.shared_engine)
        and any(words in fault.name for words in chosen.fault or ("",))
    ]
    try:
        record = Record.read(chosen.state)
    except ValueError as error:
        sys.exit(str(error))
    wanted = Wanted(
        chosen.faults,
        chosen.seed,
        known,
        chosen.a_round or (FLEET_FAULTS_A_ROUND if chosen.fleet else FAULTS_A_ROUND),
        chosen.round,
        chosen.minutes,
    )
    if other := _other_faults(record, wanted):
        sys.exit(other)
    opened = (
        partial(open_fleet_world, **POOL)
        if chosen.fleet
        else partial(opened_world, own_engine=not chosen.shared_engine, **POOL)
    )
    asyncio.run(campaign(record, wanted, opened))
    _say(f"\n{summary(record)}")
    if any(played.breaches for played in record.rounds):
        sys.exit(1)
    sys.exit(0 if record.faults >= chosen.faults or chosen.round else 3)


if __name__ == "__main__":
    main()
