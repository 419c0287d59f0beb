"""Server-sent events, read from the table and woken by notifications: nothing is missed or repeated."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.events import repository
from approval_api.events.notifications import Notifications
from approval_api.sessions import repository as sessions
from dryrun_contract.event import Event

_PAGE = 500
_DATABASE_RETRY_SECONDS = 1.0


def _frame(event: Event) -> str:
    # JSON holds no raw line break, so one `data:` line carries it whatever a target said.
    return f"id: {event.seq}\ndata: {event.model_dump_json()}\n\n"


async def stream(
    engine: AsyncEngine,
    notifications: Notifications,
    stopping: asyncio.Event,
    session_id: UUID,
    after: int,
    heartbeat_seconds: float,
) -> AsyncIterator[str]:
    """Yield frames of what comes after `after` until the session has ended or the service stops.

    No database connection is held between two reads. A database that is away is waited for; the heartbeats
    go on.
    """
    with notifications.subscribed(session_id) as woken:
        yield "retry: 1000\n\n"
        while not stopping.is_set():
            woken.clear()
            try:
                ended, events = await _read(engine, session_id, after)
            except (SQLAlchemyError, OSError):
                yield ": waiting for the database\n\n"
                await _wait(stopping, _DATABASE_RETRY_SECONDS)
                continue
            for event in events:
                yield _frame(event)
                after = event.seq
            if len(events) == _PAGE:
                continue
            if ended:
                return
            if not await _wait(woken, heartbeat_seconds):
                yield ": still here\n\n"


async def _read(engine: AsyncEngine, session_id: UUID, after: int) -> tuple[bool, list[Event]]:
    async with engine.connect() as connection:
        # The state first: if it says ended, every event of the session is already stored.
        session = await sessions.find(connection, session_id)
        events = await repository.page(connection, session_id, after, _PAGE)
    return session is None or session.phase == "ended", events


async def _wait(woken: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True
