"""What may befall a fleet, each fault one function that breaks something and repairs it again."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from faults import HOUR, BrokenPromiseError, Fault, NothingToBreakError
from fleet_host import Host, run
from fleet_world import FleetWorld
from parts import FAKETIME, SESSION_SECONDS

from dryrun_local.fleet.drained_hosts import set_drained

type Break = Callable[[FleetWorld, random.Random], Awaitable[None]]

LOST = (62.0, 75.0)
"""Seconds after which sessions of a host that does not answer have ended."""
SAID_SECONDS = 60.0
"""Within these `/readyz` says that sessions across hosts wait: an engine may wait 20 s for a lost leader."""
WAITING = "across hosts sessions wait"
SHUT = (
    "table inet chaos { chain input { type filter hook input priority -5; "
    "tcp dport 2377 drop; tcp sport 2377 drop; }; }"
)
"""Managers talk to each other at this port; sessions and guards do not use it."""


@asynccontextmanager
async def _one_of(world: FleetWorld, chance: random.Random, *, workers: bool = True) -> AsyncIterator[Host]:
    """Choose a host, and have it to oneself; one that no other fault has in hand, if there is one."""
    hosts = world.lab.workers if workers else list(world.lab.hosts.values())
    host = chance.choice([host for host in hosts if not world.locks[host.name].locked()] or hosts)
    async with world.locks[host.name]:
        yield host


async def _end_guard(host: Host) -> None:
    await asyncio.to_thread(host.end_guard, signal.SIGKILL)


async def _end_engine(world: FleetWorld, host: Host) -> None:
    await asyncio.to_thread(world.lab.end_engine, host, signal.SIGKILL)


async def _bring_back(world: FleetWorld, host: Host) -> None:
    await asyncio.to_thread(world.lab.start_engine, host)
    await world.start_guard(host)


def _lost(least: float, most: float) -> Break:
    """Power fails: engine, guard and containers are gone at once, and nothing answers meanwhile."""

    async def do(world: FleetWorld, chance: random.Random) -> None:
        async with _one_of(world, chance) as host:
            world.lab.cut(host, off=True)
            await _end_guard(host)
            await _end_engine(world, host)
            world.lab.end_containers(host)
            await asyncio.sleep(chance.uniform(least, most))
            world.lab.cut(host, off=False)
            await _bring_back(world, host)

    return do


async def _back_with_old_containers(world: FleetWorld, chance: random.Random) -> None:
    """Engine and guard are away beyond the sessions' deadline, and their containers are not."""
    async with _one_of(world, chance) as host:
        await _end_guard(host)
        await _end_engine(world, host)
        await asyncio.sleep(SESSION_SECONDS + chance.uniform(1, 10))
        await _bring_back(world, host)


def _partitioned(least: float, most: float) -> Break:
    async def do(world: FleetWorld, chance: random.Random) -> None:
        async with _one_of(world, chance) as host:
            world.lab.cut(host, off=True)
            await asyncio.sleep(chance.uniform(least, most))
            world.lab.cut(host, off=False)

    return do


def _hangs(*, manager: bool, least: float = 0.5, most: float = 15.0) -> Break:
    async def do(world: FleetWorld, chance: random.Random) -> None:
        host = world.lab.manager if manager else chance.choice(world.lab.workers)
        async with world.locks[host.name]:
            world.lab.freeze_engine(host, frozen=True)
            await asyncio.sleep(chance.uniform(least, most))
            world.lab.freeze_engine(host, frozen=False)

    return do


async def _manager_lost(world: FleetWorld, chance: random.Random) -> None:
    """Its engine gives no answer, and its guard is gone."""
    host = world.lab.manager
    async with world.locks[host.name]:
        world.lab.freeze_engine(host, frozen=True)
        await _end_guard(host)
        await asyncio.sleep(chance.uniform(1, 20))
        world.lab.freeze_engine(host, frozen=False)
        await world.start_guard(host)


@asynccontextmanager
async def _two_managers(world: FleetWorld) -> AsyncIterator[list[Host]]:
    """Have two of the three managers to oneself."""
    async with AsyncExitStack() as exits:
        for host in world.lab.workers:
            await exits.enter_async_context(world.locks[host.name])
        yield world.lab.workers


async def _managers_apart(world: FleetWorld, chance: random.Random) -> None:
    """No manager hears another: every engine and guard answers, and none has a leader."""
    async with _two_managers(world) as hosts:
        try:
            for host in hosts:
                await asyncio.to_thread(run, *host.inside("nft", SHUT))
            await _sessions_wait(world, chance)
        finally:
            for host in hosts:
                await asyncio.to_thread(run, *host.inside("nft", "delete table inet chaos"))


async def _managers_hang(world: FleetWorld, chance: random.Random) -> None:
    """Two engines of three give no answer, and the last one has no leader."""
    async with _two_managers(world) as hosts:
        try:
            for host in hosts:
                world.lab.freeze_engine(host, frozen=True)
            await _sessions_wait(world, chance)
        finally:
            for host in hosts:
                world.lab.freeze_engine(host, frozen=False)


async def _managers_killed(world: FleetWorld, chance: random.Random) -> None:
    """Two engines of three are gone, and the last one has no leader."""
    async with _two_managers(world) as hosts:
        try:
            for host in hosts:
                await _end_engine(world, host)
            await _sessions_wait(world, chance)
        finally:
            await asyncio.gather(*(asyncio.to_thread(world.lab.start_engine, host) for host in hosts))


async def _sessions_wait(world: FleetWorld, chance: random.Random) -> None:
    """Check that `/readyz` says that there is no leader, and that nothing across hosts begins meanwhile."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SAID_SECONDS
    said = ""
    while WAITING not in (said := (await world.checks()).get("overlay", said)):
        if loop.time() > end:
            raise BrokenPromiseError(f"no leader for {SAID_SECONDS:.0f} s, and readiness says: {said}")
        await asyncio.sleep(0.5)
    life = world.stack.orchestrator.is_running and world.stack.orchestrator.pid
    session_id = await world.start_session("spread")
    world.asked[session_id] = "spread"
    await asyncio.sleep(chance.uniform(2, 10))
    # One that was started again trusts its managers for 12 s, and makes nothing without their word.
    same = world.stack.orchestrator.is_running and life == world.stack.orchestrator.pid
    session = await world.session(session_id)
    waits = ("requested", "queued") if same else ("requested", "queued", "provisioning")
    if session is not None and session["phase"] not in waits:
        raise BrokenPromiseError(f"no leader, and a session across hosts is {session['phase']}")


async def _guard_killed(world: FleetWorld, chance: random.Random) -> None:
    async with _one_of(world, chance, workers=False) as host:
        await _end_guard(host)
        await asyncio.sleep(chance.uniform(0, 6))
        await world.start_guard(host)


def _clock(seconds: int) -> Break:
    """Fast only: a guard whose certificate is not valid yet by its own clock does not start."""

    async def do(world: FleetWorld, chance: random.Random) -> None:
        if not FAKETIME.exists():
            raise NothingToBreakError("libfaketime is not installed")
        async with _one_of(world, chance, workers=False) as host:
            await _end_guard(host)
            await world.start_guard(host, clock=f"{seconds:+d}")
            await asyncio.sleep(chance.uniform(1, 10))
            await _end_guard(host)
            await world.start_guard(host)

    return do


async def _orchestrator_killed(world: FleetWorld, chance: random.Random) -> None:
    async with world.locks["orchestrator"]:
        await world.stack.orchestrator.kill()
        await asyncio.sleep(chance.choice((0, 0, chance.uniform(0, 6))))
        await world.stack.orchestrator.start(ready=False)


async def _drained(world: FleetWorld, chance: random.Random) -> None:
    async with _one_of(world, chance, workers=False) as host:
        file: Path = world.file
        set_drained(file, host.name, drained=True)
        await asyncio.sleep(chance.uniform(1, 10))
        set_drained(file, host.name, drained=False)


def _fault(name: str, do: Break, *, removes: bool = False) -> Fault:
    return Fault(name, do, template="spread", removes=removes)


FLEET_FAULTS: tuple[Fault, ...] = (
    _fault("host lost", _lost(1, 12)),
    _fault("host lost for a minute", _lost(*LOST)),
    _fault("host back with old containers", _back_with_old_containers),
    _fault("host partitioned", _partitioned(0.5, 14)),
    _fault("host partitioned for a minute", _partitioned(*LOST)),
    _fault("manager lost", _manager_lost),
    _fault("engine of the manager hangs", _hangs(manager=True)),
    _fault("engine of a worker hangs", _hangs(manager=False)),
    _fault("no leader: managers apart", _managers_apart),
    _fault("no leader: two managers hang", _managers_hang),
    _fault("no leader: two managers killed", _managers_killed),
    _fault("guard of a host killed", _guard_killed),
    # A guard whose clock is fast ends sessions by it.
    _fault("clock of a host's guard +1 h", _clock(HOUR), removes=True),
    _fault("orchestrator killed", _orchestrator_killed),
    _fault("host drained", _drained),
)
