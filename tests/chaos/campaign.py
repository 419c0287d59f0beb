"""Breaks a running system at random, reproducible moments, and checks what has to hold: `make chaos N=300`.

Each round starts sessions, breaks several things while they run, puts them right, waits for every end and
looks from outside. A round depends on the seed and its number alone, so that one can be played again.
"""

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from faults import FAULTS, Fault, NothingToBreakError
from fleet_faults import FLEET_FAULTS
from fleet_world import FleetWorld, open_fleet_world
from invariants import Bystanders, breaches, stored_events, until_ended
from local_stack import ROOT
from odd import misbehaving
from own_engine import open_own_engine
from record import Record, Round, summary
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
JOURNAL_MIB, DATABASE_MIB = 12, 400
FAULTS_A_ROUND = 6
FLEET_FAULTS_A_ROUND = 3
SPREAD_SECONDS = 9.0
FAULT_SECONDS = 150.0
MOST_WORLDS = 20
"""A campaign that has to begin anew so often has another fault than those it makes."""
KEPT = ROOT / ".dryrun" / "chaos"
"""Where logs and events of rounds with a breach stay."""
type AnyWorld = World | FleetWorld

_figures = re.compile(r"\b[0-9a-f]*\d[0-9a-f.:-]*")


def plan(
    seed: int, number: int, known: Sequence[Fault], count: int = FAULTS_A_ROUND
) -> tuple[random.Random, list[Fault]]:
    """Return the round's own source of chance, and its faults."""
    chance = random.Random(f"{seed}:{number}")
    return chance, chance.sample(known, min(count, len(known)))


async def play(world: AnyWorld, seed: int, number: int, known: Sequence[Fault], count: int) -> Round:
    """Play one round. What goes wrong with a fault itself is in the result and ends nothing."""
    chance, faults = plan(seed, number, known, count)
    unmade: dict[str, str] = {}
    trouble: list[str] = []

    async def one(fault: Fault, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            async with asyncio.timeout(FAULT_SECONDS):
                await fault.do(world, chance)
        except NothingToBreakError as error:
            unmade[fault.name] = str(error)
        except Exception as error:  # noqa: BLE001 any error of a fault is a result
            # Faults meet, and one may take away what another repairs by; then nobody knows what was made.
            unmade[fault.name] = f"{type(error).__name__}: {error}"
            trouble.append(fault.name)

    templates = [fault.template for fault in faults if fault.template != "quick"] or ["quick"]
    sessions: dict[UUID, str] = {}
    ended: dict[UUID, dict[str, object]] = {}
    found: list[str] = []
    void = ""
    try:
        for template in ("quick", *templates):
            sessions[await world.start_session(template)] = template
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                group.create_task(one(fault, chance.uniform(0, SPREAD_SECONDS)))
        await world.until_well()
        ended = await until_ended(world, sessions)
        forgotten = any(fault.forgets for fault in faults)
        found = await breaches(world, sessions, ended, whole=False, forgotten=forgotten)
        found += await _next_one_works(world)
    except (AssertionError, TimeoutError) as error:
        said = f"{type(error).__name__}: {error}"
        if trouble:
            void = f"{', '.join(trouble)} went wrong ({unmade[trouble[0]]}), and then: {said}"
        else:
            found.append(f"the round's own course: {said}")
    return Round(
        seed,
        number,
        [fault.name for fault in faults if fault.name not in unmade],
        unmade,
        [str(session["outcome"]) for session in ended.values()],
        [
            f"{session['outcome']}: {_figures.sub('#', str(session['reason']))}"
            for session in ended.values()
            if session["outcome"] != "completed"
        ],
        found,
        void,
    )


async def _next_one_works(world: AnyWorld) -> list[str]:
    session_id = await world.start_session("quick")
    ended = await until_ended(world, [session_id])
    if session_id not in ended or ended[session_id]["outcome"] != "completed":
        return [f"the next session did not complete: {ended.get(session_id)}"]
    return await breaches(world, {session_id: "quick"}, ended)


@asynccontextmanager
async def opened_world(*, own_engine: bool) -> AsyncIterator[World]:
    """Make everything a campaign needs, and take it away again."""
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


async def campaign(
    record: Record,
    faults: int,
    seed: int,
    known: Sequence[Fault],
    opened: Callable[[], AbstractAsyncContextManager[AnyWorld]],
    *,
    only: int | None,
    a_round: int = FAULTS_A_ROUND,
) -> None:
    """Play rounds until the record holds so many faults; in a new world after one that was not put right."""
    worlds = 0
    while record.faults < faults and worlds < MOST_WORLDS:
        worlds += 1
        async with opened() as world:
            while record.faults < faults:
                number = only or record.claim(seed)
                begun = time.monotonic()
                played = await play(world, seed, number, known, a_round)
                record.add(played)
                _say(
                    f"round {number} ({record.faults}/{faults} faults, {time.monotonic() - begun:.0f} s): "
                    f"{', '.join(played.made)}"
                )
                for name, why in played.unmade.items():
                    _say(f"  not injected: {name}: {why}")
                for breach in played.breaches:
                    _say(f"  BREACH {breach}")
                if played.breaches or played.void:
                    _say(f"  logs and events: {await _keep(world, KEPT / f'seed-{seed}-round-{number}')}")
                if only is not None:
                    return
                if played.void or await world.is_well():
                    _say(f"  the world is made anew: {played.void or 'not all of it is well'}")
                    break


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
    asyncio.run(
        campaign(
            record,
            chosen.faults,
            chosen.seed,
            known,
            open_fleet_world if chosen.fleet else partial(opened_world, own_engine=not chosen.shared_engine),
            only=chosen.round,
            a_round=FLEET_FAULTS_A_ROUND if chosen.fleet else FAULTS_A_ROUND,
        )
    )
    _say(f"\n{summary(record)}")
    if any(played.breaches for played in record.rounds):
        sys.exit(1)
    sys.exit(0 if record.faults >= chosen.faults or chosen.round else 3)


if __name__ == "__main__":
    main()
