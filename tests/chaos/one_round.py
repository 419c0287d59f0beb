"""One round: sessions run, several things break, and what has to hold is checked from outside."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from bystanding import begin_experiment, experiment_breaches, left_of_nobody, sessions_of, until_done
from faults import BrokenPromiseError, Fault, NothingToBreakError
from fleet_world import FleetWorld
from invariants import breaches, until_ended
from record import Round
from world import World

FAULTS_A_ROUND = 6
MOST_ALIKE = 3
MOST_SESSIONS = 12
SPREAD_SECONDS = 9.0
FAULT_SECONDS = 300.0
"""With the time until another fault is through with the same host."""

type AnyWorld = World | FleetWorld


def plan(
    seed: int, number: int, known: Sequence[Fault], count: int = FAULTS_A_ROUND
) -> tuple[random.Random, list[Fault]]:
    """Return the round's own source of chance, and its faults."""
    chance = random.Random(f"{seed}:{number}")
    return chance, chance.sample(known, min(count, len(known)))


async def play(world: AnyWorld, seed: int, number: int, known: Sequence[Fault], count: int) -> Round:
    """Play one round. What goes wrong with a fault itself is in the result and ends nothing."""
    chance, faults = plan(seed, number, known, count)
    made: set[str] = set()
    unmade: dict[str, str] = {}
    trouble: list[str] = []

    async def one(fault: Fault, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            async with asyncio.timeout(FAULT_SECONDS):
                await fault.do(world, chance)
        except NothingToBreakError as error:
            unmade[fault.name] = str(error)
        except BrokenPromiseError as error:
            made.add(fault.name)
            found.append(f"{fault.name}: {error}")
        except Exception as error:  # noqa: BLE001 any error of a fault is a result
            # Faults meet, and one may take away what another repairs by; then nobody knows what was made.
            unmade[fault.name] = f"{type(error).__name__}: {error}"
            trouble.append(fault.name)
        else:
            made.add(fault.name)

    templates = _templates(faults)
    sessions: dict[UUID, str] = {}
    ended: dict[UUID, dict[str, object]] = {}
    found: list[str] = []
    void = ""
    world.asked.clear()
    try:
        for template in ("quick", *templates):
            sessions[await world.start_session(template)] = template
        await begin_experiment(world, f"chaos-{seed}-{number}", "quick")
        busy = asyncio.create_task(_keep_busy(world, sessions, templates[-1]))
        try:
            async with asyncio.TaskGroup() as group:
                for fault in faults:
                    group.create_task(one(fault, chance.uniform(0, SPREAD_SECONDS)))
        finally:
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)
        await world.until_well()
        experiments = await until_done(world, f"chaos-{seed}-{number}")
        sessions |= world.asked | dict.fromkeys(sessions_of(experiments), "quick")
        ended = await until_ended(world, sessions)
        found += experiment_breaches(experiments, ended)
        found += await _judged(world, sessions, ended, faults)
    except (AssertionError, TimeoutError) as error:
        said = f"{type(error).__name__}: {error}"
        if trouble:
            void = f"{', '.join(trouble)} went wrong ({unmade[trouble[0]]}), and then: {said}"
        else:
            found.append(f"the round's own course: {said}")
    return Round(
        seed,
        number,
        [fault.name for fault in faults if fault.name in made],
        unmade,
        [str(session["outcome"]) for session in ended.values()],
        [
            f"{session['outcome']}: {session['reason']}"
            for session in ended.values()
            if session["outcome"] != "completed"
        ],
        found,
        void,
    )


async def _judged(
    world: AnyWorld, sessions: dict[UUID, str], ended: dict[UUID, dict[str, object]], faults: Sequence[Fault]
) -> list[str]:
    forgotten = any(fault.forgets for fault in faults)
    removed = not isinstance(world, FleetWorld) or any(fault.removes for fault in faults)
    return [
        *await breaches(world, sessions, ended, whole=False, forgotten=forgotten, removed=removed),
        *await left_of_nobody(world, forgotten=forgotten),
        *await _next_one_works(world),
    ]


def _templates(faults: Sequence[Fault]) -> list[str]:
    """Return what the round's sessions run, a few alike at most: more would wait for each other."""
    wanted = [fault.template for fault in faults if fault.template != "quick"] or ["quick"]
    return [each for number, each in enumerate(wanted) if wanted[:number].count(each) < MOST_ALIKE]


async def _keep_busy(world: AnyWorld, sessions: dict[UUID, str], template: str) -> None:
    """Ask for another session whenever all have ended: faults of minutes are to find one, too."""
    while len(sessions) < MOST_SESSIONS:
        await asyncio.sleep(2)
        seen = [await world.session(each) for each in sessions]
        if all(session is not None and session["phase"] == "ended" for session in seen):
            with suppress(TimeoutError):
                sessions[await world.start_session(template)] = template


async def _next_one_works(world: AnyWorld) -> list[str]:
    session_id = await world.start_session("quick")
    ended = await until_ended(world, [session_id])
    if session_id not in ended or ended[session_id]["outcome"] != "completed":
        return [f"the next session did not complete: {ended.get(session_id)}"]
    return await breaches(world, {session_id: "quick"}, ended)
