"""The faults of a campaign, each one function that breaks something and repairs it again."""

import asyncio
import random
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from own_engine import OwnEngine
from world import Service, World

HOUR = 3600

type Break = Callable[[World, random.Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`template` is what the round's first session runs, when the fault is in the session itself."""

    name: str
    do: Break
    needs_own_engine: bool = False
    template: str = "quick"
    forgets: bool = False
    """Nobody knows of the sessions any more: what they own ends at their deadline."""
    removes: bool = False
    """Containers may be removed by somebody else than their orchestrator, and a reason may say so."""


class NothingToBreakError(Exception):
    """What the fault would have broken was not there: no fault was made."""


class BrokenPromiseError(Exception):
    """What must hold did not, while the fault lasted."""


async def _nothing(world: World, chance: random.Random) -> None:
    """The session itself is the fault."""


def _kill(name: str) -> Break:
    async def do(world: World, chance: random.Random) -> None:
        service = world.services[name]
        async with service.lock:
            await service.kill()
            await asyncio.sleep(chance.choice((0, 0, chance.uniform(0, 6))))
            if name == "postgres":
                await world.start_postgres()
            else:
                await service.start()

    return do


def _freeze(name: str) -> Break:
    async def do(world: World, chance: random.Random) -> None:
        service = world.services[name]
        async with service.lock:
            service.send(signal.SIGSTOP)
            await asyncio.sleep(chance.uniform(0.5, 12))
            service.send(signal.SIGCONT)

    return do


def _clock(name: str, seconds: int) -> Break:
    async def do(world: World, chance: random.Random) -> None:
        async with world.services[name].lock:
            world.set_clock(name, seconds)
            await asyncio.sleep(chance.uniform(1, 8))
            world.set_clock(name, 0)

    return do


def _wire(name: str, how: str) -> Break:
    async def do(world: World, chance: random.Random) -> None:
        wire = world.wires[name]
        match how:
            case "cut":
                for _ in range(chance.randint(1, 6)):
                    wire.cut()
                    await asyncio.sleep(chance.uniform(0.05, 1))
            case "down":
                wire.broken = True
                wire.cut()
                await asyncio.sleep(chance.uniform(0.5, 10))
                wire.broken = False
            case "frozen":
                wire.freeze()
                await asyncio.sleep(chance.uniform(0.5, 10))
                wire.thaw()
            case "delayed":
                wire.delay_seconds = chance.uniform(0.05, 0.7)
                await asyncio.sleep(chance.uniform(2, 10))
                wire.delay_seconds = 0
            case _:
                wire.bytes_per_second = chance.choice((4_000, 16_000, 64_000))
                await asyncio.sleep(chance.uniform(2, 10))
                wire.bytes_per_second = None

    return do


async def _engine_errors(world: World, chance: random.Random) -> None:
    wire = world.wires["guard-engine"]
    share = chance.uniform(0.1, 0.6)
    words = b'{"message":"something is wrong in the engine"}'
    refusal = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close\r\n"
    whole = refusal + f"Content-Length: {len(words)}\r\n\r\n".encode() + words
    wire.answer = lambda _: whole if chance.random() < share else None
    # Connections that are open already would not be asked.
    wire.cut()
    await asyncio.sleep(chance.uniform(1, 8))
    wire.answer = None


def _full(which: str) -> Break:
    async def do(world: World, chance: random.Random) -> None:
        disk = getattr(world.disks, which)
        await asyncio.to_thread(disk.fill)
        await asyncio.sleep(chance.uniform(1, 8))
        await asyncio.to_thread(disk.free)

    return do


def _own(world: World) -> OwnEngine:
    assert world.own_engine is not None
    return world.own_engine


async def _engine_full(world: World, chance: random.Random) -> None:
    disk = _own(world).disk
    await asyncio.to_thread(disk.fill)
    await asyncio.sleep(chance.uniform(1, 6))
    await asyncio.to_thread(disk.free)


def _engine_ends(number: signal.Signals) -> Break:
    async def do(world: World, chance: random.Random) -> None:
        engine = _own(world)
        async with engine.lock:
            await engine.end(number)
            await asyncio.sleep(chance.uniform(0, 4))
            await engine.start()

    return do


async def _engine_frozen(world: World, chance: random.Random) -> None:
    engine = _own(world)
    async with engine.lock:
        engine.freeze(frozen=True)
        await asyncio.sleep(chance.uniform(1, 12))
        engine.freeze(frozen=False)


def docker(world: World, *arguments: str) -> list[str]:
    """Ask the engine directly, past everybody; what fails is nobody's concern here."""
    done = subprocess.run(
        ["docker", "--host", world.docker_host, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.split()


async def _ours(world: World, kind: str) -> list[str]:
    every = ["--all"] if kind == "container" else []
    answer = await world.orchestrator("/events?limit=1")
    if answer is None or not answer.is_success:
        return []
    owner = f"label=discovery.dryrun.owner={answer.json()['journal']}"
    return await asyncio.to_thread(docker, world, kind, "ls", *every, "--quiet", "--filter", owner)


def _behind_our_back(*command: str) -> Break:
    async def do(world: World, chance: random.Random) -> None:
        for _ in range(40):
            if containers := await _ours(world, "container"):
                victim = chance.choice(sorted(containers))
                await asyncio.to_thread(docker, world, *command, victim)
                return
            await asyncio.sleep(0.2)
        raise NothingToBreakError("no container stood within 8 s")

    return do


async def _network_removed(world: World, chance: random.Random) -> None:
    for _ in range(40):
        if networks := await _ours(world, "network"):
            victim = chance.choice(sorted(networks))
            for container in await _ours(world, "container"):
                await asyncio.to_thread(docker, world, "network", "disconnect", "--force", victim, container)
            await asyncio.to_thread(docker, world, "network", "rm", victim)
            return
        await asyncio.sleep(0.2)
    raise NothingToBreakError("no network stood within 8 s")


async def _second_by_mistake(world: World, chance: random.Random) -> None:
    """Another one on the same journal has to refuse, and the first must not notice."""
    service = world.services["orchestrator"]
    async with service.lock:
        other = await asyncio.create_subprocess_exec(
            *service.program.command,
            env={**service.program.environment, "ORCHESTRATOR_LISTEN": "127.0.0.1:0"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(30):
                if await other.wait() == 0:
                    raise BrokenPromiseError("a second orchestrator ran on the same journal")
        finally:
            if other.returncode is None:
                other.kill()
                await other.wait()


async def _journal_lost(world: World, chance: random.Random) -> None:
    """The state is gone: a new identity begins, and what the old one owned ends at its deadline."""
    service: Service = world.services["orchestrator"]
    async with service.lock:
        await service.kill()
        shutil.rmtree(world.journal_folder)
        world.journal_folder.mkdir()
        await service.start()


WIRES = ("api-database", "api-orchestrator", "orchestrator-guard", "guard-engine")
HARMS = ("cut", "down", "frozen", "delayed", "throttled")

FAULTS: tuple[Fault, ...] = (
    *(Fault(f"kill {name}", _kill(name)) for name in ("orchestrator", "api", "guard", "postgres")),
    *(Fault(f"freeze {name}", _freeze(name)) for name in ("orchestrator", "api", "guard", "postgres")),
    *(
        Fault(f"clock of {name} {seconds // HOUR:+d} h", _clock(name, seconds))
        for name in ("orchestrator", "api", "guard")
        for seconds in (HOUR, -HOUR)
    ),
    *(Fault(f"wire {name} {how}", _wire(name, how)) for name in WIRES for how in HARMS),
    Fault("engine answers with errors", _engine_errors),
    Fault("disk of the journal full", _full("journal")),
    Fault("disk of the database full", _full("database")),
    Fault("disk of the engine full", _engine_full, needs_own_engine=True),
    Fault("engine restarted", _engine_ends(signal.SIGTERM), needs_own_engine=True),
    Fault("engine killed", _engine_ends(signal.SIGKILL), needs_own_engine=True),
    Fault("engine frozen", _engine_frozen, needs_own_engine=True),
    Fault("container removed behind our back", _behind_our_back("rm", "--force")),
    Fault("container killed behind our back", _behind_our_back("kill")),
    Fault("container paused behind our back", _behind_our_back("pause")),
    Fault("network removed behind our back", _network_removed),
    Fault("second orchestrator on the journal", _second_by_mistake),
    Fault("journal lost", _journal_lost, forgets=True),
    *(
        Fault(f"target: {way}", _nothing, template=f"odd-{way}")
        for way in ("exit", "never-healthy", "memory", "forks", "disk", "log")
    ),
    *(
        Fault(f"collector: {name}", _nothing, template=f"collector-{name}")
        for name in ("crash", "hang", "flood", "garbage")
    ),
)
