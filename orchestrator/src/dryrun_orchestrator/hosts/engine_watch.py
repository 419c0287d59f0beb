"""Follows the engine's events and wakes the sessions they concern. A missed event loses nothing."""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

from dryrun_orchestrator import labels, metrics
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.engine.protocol import Engine, EngineEvent

log = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 5.0


async def follow_engine_events(
    engine: Engine,
    wake: Callable[[UUID, str], None],
    wake_all: Callable[[], None],
    tell_up: Callable[[bool], None] = metrics.ENGINE_UP.set,
) -> None:
    """Run until cancelled; `wake` gets the session and the container of an event.

    After each subscription every session looks again: events may have been missed.
    """
    pause = 0.2
    while True:
        try:
            async with engine.events() as events:
                tell_up(True)
                pause = 0.2
                wake_all()
                async for event in events:
                    _wake_session(event, wake)
        except EngineError as error:
            log.warning("engine events: %s; subscribing again", error)
        finally:
            tell_up(False)
        await asyncio.sleep(pause)
        pause = min(pause * 2, MAX_PAUSE_SECONDS)


def _wake_session(event: EngineEvent, wake: Callable[[UUID, str], None]) -> None:
    try:
        wake(UUID(event.labels.get(labels.SESSION_ID, "")), event.id)
    except ValueError:
        return
