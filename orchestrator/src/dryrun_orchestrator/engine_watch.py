"""Follows the engine's events and wakes the sessions they concern. A missed event loses nothing."""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

from dryrun_orchestrator import labels, metrics
from dryrun_orchestrator.engine.protocol import Engine, EngineError

log = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 5.0


async def follow_engine_events(
    engine: Engine, wake: Callable[[UUID], None], wake_all: Callable[[], None]
) -> None:
    """Run until cancelled. After each subscription every session looks again: events may have been missed."""
    pause = 0.2
    while True:
        try:
            async with engine.events() as events:
                metrics.ENGINE_UP.set(1)
                pause = 0.2
                wake_all()
                async for event in events:
                    _wake_session(event.labels.get(labels.SESSION_ID), wake)
        except EngineError as error:
            log.warning("engine events: %s; subscribing again", error)
        metrics.ENGINE_UP.set(0)
        await asyncio.sleep(pause)
        pause = min(pause * 2, MAX_PAUSE_SECONDS)


def _wake_session(label: str | None, wake: Callable[[UUID], None]) -> None:
    try:
        wake(UUID(label or ""))
    except ValueError:
        return
