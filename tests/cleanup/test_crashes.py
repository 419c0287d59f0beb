"""Whatever is killed, whenever: sessions end, no event is lost or stored twice, nothing is left."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from engine_proxy import Call, EngineProxy
from event_ledger import Tail, journal_rows, require_every_event_once
from local_stack import Service, Stack
from quick_stack import FOUND, found_in, open_quick_stack

from dryrun_contract.event import Event

pytestmark = [pytest.mark.engine, pytest.mark.long(200), pytest.mark.asyncio(loop_scope="module")]

type Wired = tuple[Stack, EngineProxy]

SEED = 20_240


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wired(empty_cluster: Path) -> AsyncIterator[Wired]:
    async with open_quick_stack(empty_cluster, {"ORCHESTRATOR_SESSIONS_AT_ONCE": "4"}) as opened:
        yield opened
        # What a crash left of a check of the host is gone by then.
        await opened[0].orchestrator.until_ready()


async def crash(service: Service) -> None:
    """Kill it and start it again; it need not be ready before the next crash."""
    await service.kill()
    await service.start(ready=False)


def event_data(session_id: UUID, kind: str, stack: Stack) -> list[dict[str, object]]:
    return [
        data for _, session, type_, data in journal_rows(stack) if (session, type_) == (str(session_id), kind)
    ]


async def require_whole(stack: Stack, session_id: UUID, outcome: str, seconds: float = 120) -> None:
    """The session came to its own end as if nothing had happened, and nothing of it is left."""
    session = await stack.wait_until_ended(session_id, seconds)
    assert session.outcome == outcome, session.reason
    assert session.reason == ("stopped on request" if outcome == "stopped" else None)
    assert await stack.things_of(session_id) == []
    runs = event_data(session_id, "collector_ended", stack)
    assert [(run["collector"], run["complete"], run["reason"]) for run in runs] == [
        ("network", True, None),
        ("database", True, None),
    ]
    assert found_in(stack, session_id) == FOUND
    assert len(event_data(session_id, "session_ended", stack)) == 1
    await require_every_event_once(stack)


def is_phase(phase: str) -> Callable[[Event], bool]:
    return lambda event: event.data.type == "phase_changed" and event.data.phase == phase


def is_kind(kind: str) -> Callable[[Event], bool]:
    return lambda event: event.data.type == kind


async def test_a_session_survives_a_kill_of_the_orchestrator_in_each_phase(wired: Wired) -> None:
    stack, _ = wired
    tail = Tail(stack)
    kept = await stack.start_session("quick", keep=True)
    # Its neighbour is hit at other moments.
    neighbour = await stack.start_session("quick")
    for moment in (
        is_phase("provisioning"),
        is_kind("network_created"),
        is_phase("waiting"),
        is_phase("scanning"),
        is_kind("discovery_reported"),
        is_phase("kept"),
    ):
        await tail.until(kept, moment)
        await crash(stack.orchestrator)
    await stack.orchestrator.kill()
    await stack.orchestrator.start()
    await stack.client.stop_session(kept)
    await tail.until(kept, is_phase("cleaning_up"))
    await crash(stack.orchestrator)
    await require_whole(stack, kept, "stopped")
    await require_whole(stack, neighbour, "completed")


MOMENTS = (
    "create the session's network",
    "create web",
    "create isolation-probe",
    "start isolation-probe",
    "start web",
    "create network",
    "start network",
    "remove network",
    "create database",
    "remove web",
    "remove the session's network",
)


class KillBeforeTheAnswer:
    """Kills the orchestrator when the engine has done what it asked for and it does not know that yet."""

    def __init__(self, orchestrator: Service) -> None:
        self._orchestrator = orchestrator
        self._names: dict[str, str] = {}
        self._crashing = False
        self.due = list(MOMENTS)

    async def __call__(self, call: Call, answer: bytes) -> None:
        done = self._done(call, answer) if answer.startswith(b"HTTP/1.1 2") else ""
        if done not in self.due:
            return
        # A call that was under way beside the one that it is killed at loses its answer too.
        self.due.remove(done)
        if self._crashing:
            return
        self._crashing = True
        await crash(self._orchestrator)
        self._crashing = False

    def _done(self, call: Call, answer: bytes) -> str:
        match call.method, call.path.strip("/").split("/"):
            case "POST", [_, "create"]:
                labels = json.loads(call.body)["Labels"]
                # Not the network that the orchestrator probes at each start.
                if labels["discovery.dryrun.template"] != "quick":
                    return ""
                name = labels.get("discovery.dryrun.service", "the session's network")
                self._names[json.loads(answer.partition(b"\r\n\r\n")[2])["Id"]] = name
                return f"create {name}"
            case "POST", [_, thing, "start" | "stop" as verb] if thing in self._names:
                return f"{verb} {self._names[thing]}"
            case "DELETE", [_, thing] if thing in self._names:
                return f"remove {self._names[thing]}"
            case _:
                return ""


async def test_a_session_survives_a_kill_between_a_call_and_its_answer(wired: Wired) -> None:
    stack, proxy = wired
    proxy.on_answer = killer = KillBeforeTheAnswer(stack.orchestrator)
    session_id = await stack.start_session("quick")
    try:
        # The orchestrator starts eleven times meanwhile.
        await require_whole(stack, session_id, "completed", seconds=240)
    finally:
        proxy.on_answer = None
    assert killer.due == []


async def test_sessions_survive_kills_of_orchestrator_and_api_at_random_moments(wired: Wired) -> None:
    stack, _ = wired
    chance = random.Random(SEED)
    victims = [stack.orchestrator] * 4 + [stack.api] * 3
    chance.shuffle(victims)
    sessions = [await stack.start_session("quick") for _ in range(2)]
    for victim in victims:
        await asyncio.sleep(chance.uniform(0.1, 2))
        await crash(victim)
    await stack.api.until_ready()
    for session_id in sessions:
        await require_whole(stack, session_id, "completed")
