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
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from faults import FAULTS, Fault
from invariants import Bystanders, breaches, stored_events, until_ended
from local_stack import ROOT
from odd import misbehaving
from own_engine import open_own_engine
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
SPREAD_SECONDS = 9.0
FAULT_SECONDS = 150.0
KEPT = ROOT / ".dryrun" / "chaos"
"""Where logs and events of rounds with a breach stay."""
_figures = re.compile(r"\b[0-9a-f]*\d[0-9a-f.:-]*")


@dataclass(slots=True)
class Tally:
    """What came of it, fault by fault."""

    times: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    breaches: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    sessions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why sessions did not complete, their figures left out: whether it is true, people judge."""
    rounds: int = 0

    @property
    def faults(self) -> int:
        """How many were made."""
        return sum(self.times.values())

    def table(self) -> str:
        """Return the table of faults and outcomes in Markdown."""
        lines = [
            "| fault | times | sessions completed | failed | stopped | expired | breaches |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in sorted(self.times):
            ends = self.outcomes[name]
            figures = " | ".join(
                str(ends[end] or "-") for end in ("completed", "failed", "stopped", "expired")
            )
            lines.append(f"| {name} | {self.times[name]} | {figures} | {len(self.breaches[name]) or '-'} |")
        return "\n".join(lines)


def plan(
    seed: int, number: int, known: Sequence[Fault], count: int = FAULTS_A_ROUND
) -> tuple[random.Random, list[Fault]]:
    """Return the round's own source of chance, and its faults."""
    chance = random.Random(f"{seed}:{number}")
    return chance, chance.sample(known, min(count, len(known)))


async def play(world: World, chance: random.Random, faults: Sequence[Fault], tally: Tally) -> list[str]:
    """Play one round; returns its breaches."""
    templates = [fault.template for fault in faults if fault.template != "quick"] or ["quick"]
    sessions: dict[UUID, str] = {}
    for template in ("quick", *templates):
        sessions[await world.start_session(template)] = template

    async def one(fault: Fault, seconds: float) -> None:
        await asyncio.sleep(seconds)
        async with asyncio.timeout(FAULT_SECONDS):
            await fault.do(world, chance)

    async with asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(one(fault, chance.uniform(0, SPREAD_SECONDS)))
    await world.until_well()
    ended = await until_ended(world, sessions)
    forgotten = any(fault.forgets for fault in faults)
    found = await breaches(world, sessions, ended, whole=False, forgotten=forgotten)
    found += await _next_one_works(world)
    for fault in faults:
        tally.times[fault.name] += 1
        tally.outcomes[fault.name].update(str(session["outcome"]) for session in ended.values())
        tally.breaches[fault.name] += found
    tally.sessions.update(str(session["outcome"]) for session in ended.values())
    tally.reasons.update(
        f"{session['outcome']}: {_figures.sub('#', str(session['reason']))}"
        for session in ended.values()
        if session["outcome"] != "completed"
    )
    tally.rounds += 1
    return found


async def _next_one_works(world: World) -> list[str]:
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
    faults: int, seed: int, known: Sequence[Fault], *, own_engine: bool, only: int | None
) -> Tally:
    """Play rounds until so many faults were made."""
    tally = Tally()
    async with opened_world(own_engine=own_engine) as world:
        number = only or 1
        while tally.faults < faults:
            chance, chosen = plan(seed, number, known)
            begun = time.monotonic()
            try:
                found, goes_on = await play(world, chance, chosen, tally), only is None
            except (AssertionError, TimeoutError) as error:
                found, goes_on = [f"{type(error).__name__}: {error}"], False
                tally.breaches["the round's own course"] += found
            words = ", ".join(fault.name for fault in chosen)
            _say(
                f"round {number} ({tally.faults}/{faults} faults, {time.monotonic() - begun:.0f} s): {words}"
            )
            for breach in found:
                _say(f"  BREACH {breach}")
            if found:
                _say(f"  logs and events: {await _keep(world, KEPT / f'seed-{seed}-round-{number}')}")
            if not goes_on:
                break
            number += 1
    return tally


async def _keep(world: World, kept: Path) -> Path:
    shutil.copytree(world.installation.logs, kept, dirs_exist_ok=True)
    if world.own_engine is not None:
        shutil.copy(world.own_engine.log, kept)
    with (kept / "events.ndjson").open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in await stored_events(world))
    return kept


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Run a campaign and print its table; exit 1 when something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--round", type=int, help="play only this round of the seed")
    parser.add_argument("--fault", action="append", help="only faults with these words in their name")
    parser.add_argument(
        "--shared-engine", action="store_true", help="break nothing that needs an engine of our own"
    )
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("a campaign mounts small disks and starts an engine: run it as root")
    known = [
        fault
        for fault in FAULTS
        if not (fault.needs_own_engine and chosen.shared_engine)
        and any(words in fault.name for words in chosen.fault or ("",))
    ]
    tally = asyncio.run(
        campaign(chosen.faults, chosen.seed, known, own_engine=not chosen.shared_engine, only=chosen.round)
    )
    counted = f"{tally.faults} faults in {tally.rounds} rounds, {tally.sessions.total()} sessions"
    _say(f"\nseed {chosen.seed}: {counted}")
    _say(f"outcomes: {dict(tally.sessions)}\n\n{tally.table()}\n")
    for reason, times in tally.reasons.most_common():
        _say(f"{times:4} x {reason}")
    broken = {breach for each in tally.breaches.values() for breach in each}
    _say(f"\nbreaches: {len(broken)}")
    for breach in sorted(broken):
        _say(f"  {breach}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
