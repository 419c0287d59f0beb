import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.protocol import EngineEvent
from dryrun_orchestrator.hosts.engine_watch import follow_engine_events

SESSION = uuid4()


class Reporting:
    """An engine that reports these actions once, and is silent then."""

    def __init__(self, *actions, session=SESSION):
        self._events = [
            EngineEvent("container", action, f"c{number}", {labels.SESSION_ID: str(session)})
            for number, action in enumerate(actions)
        ]

    @asynccontextmanager
    async def events(self):
        async def stream():
            for event in self._events:
                yield event
            await asyncio.Event().wait()

        yield stream()


async def woken_by(engine):
    woken = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await follow_engine_events(engine, lambda *who: woken.append(who), lambda: woken.append("all"))
    return woken


async def test_a_session_looks_at_the_container_that_something_happened_to():
    engine = Reporting("start", "health_status: healthy", "die", "oom", "destroy")
    assert await woken_by(engine) == ["all", *((SESSION, f"c{number}") for number in range(5))]


async def test_an_event_of_something_else_wakes_nobody():
    assert await woken_by(Reporting("start", session="of another kind")) == ["all"]
