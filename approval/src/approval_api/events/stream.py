"""Server-sent events, read from the table and woken by notifications: nothing is missed or repeated."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from approval_api.events.notifications import Notifications
from approval_api.events.shared_reads import SharedReads

_DATABASE_RETRY_SECONDS = 1.0


async def stream(
    reads: SharedReads,
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
    with notifications.subscribed(session_id) as woken, reads.joined(session_id):
        yield "retry: 1000\n\n"
        while not stopping.is_set():
            woken.clear()
            try:
                reading = await reads.read(session_id, after)
            except (SQLAlchemyError, OSError):
                yield ": waiting for the database\n\n"
                await _wait(stopping, _DATABASE_RETRY_SECONDS)
                continue
            if reading.frames:
                after = reading.frames[-1][0]
                yield "".join(frame for _, frame in reading.frames)
            if reading.is_full:
                continue
            if reading.ended:
                return
            if not await _wait(woken, heartbeat_seconds):
                yield ": still here\n\n"


async def _wait(woken: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True
