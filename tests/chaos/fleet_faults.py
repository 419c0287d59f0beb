"""What may befall a fleet, each fault one function that breaks something and repairs it again."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from faults import HOUR, Fault, NothingToBreakError
from fleet_lab import Host
from fleet_world import FleetWorld
from world import FAKETIME, SESSION_SECONDS

from dryrun_local.fleet.drained_hosts import set_drained

type Break = Callable[[FleetWorld, random.Random], Awaitable[None]]

LOST = (62.0, 75.0)
"""Seconds after which sessions of a host that does not answer have ended."""


@asynccontextmanager
async def _one_of(world: FleetWorld, chance: random.Random, *, workers: bool = True) -> AsyncIterator[Host]:
    """Choose a host, and have it to oneself."""
    hosts = world.lab.workers if workers else list(world.lab.hosts.values())
    host = chance.choice(hosts)
    async with world.locks[host.name]:
        yield host


async def _end_guard(host: Host) -> None:
    assert host.guard is not None
    host.guard.kill()
    await asyncio.to_thread(host.guard.wait, 20)


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


def _fault(name: str, do: Break) -> Fault:
    return Fault(name, do, template="spread")


FLEET_FAULTS: tuple[Fault, ...] = (
    _fault("host lost", _lost(1, 12)),
    _fault("host lost for a minute", _lost(*LOST)),
    _fault("host back with old containers", _back_with_old_containers),
    _fault("host partitioned", _partitioned(0.5, 14)),
    _fault("host partitioned for a minute", _partitioned(*LOST)),
    _fault("manager lost", _manager_lost),
    _fault("engine of the manager hangs", _hangs(manager=True)),
    _fault("engine of a worker hangs", _hangs(manager=False)),
    _fault("guard of a host killed", _guard_killed),
    _fault("clock of a host's guard +1 h", _clock(HOUR)),
    _fault("orchestrator killed", _orchestrator_killed),
    _fault("host drained", _drained),
)
