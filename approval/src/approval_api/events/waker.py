"""Wakes event streams when another transaction stored events: one LISTEN connection per process."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.errors import DATABASE_ERRORS

logger = logging.getLogger(__name__)

NOTIFY_CHANNEL = "dryrun_events"
"""The payload is the session's id; the events themselves are read from the table."""

_PROBE_SECONDS = 15.0
_RECONNECT_SECONDS = 0.5


class Waker:
    """Wakes streams, sometimes for nothing; after a reconnect it wakes all, so none misses an event."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Listen on a connection of `engine`."""
        self._engine = engine
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def subscribed(self, session_id: UUID) -> Iterator[asyncio.Event]:
        """Yield an asyncio.Event that is set when the session may have new events; the reader clears it."""
        woken = asyncio.Event()
        key = str(session_id)
        self._waiting[key].add(woken)
        try:
            yield woken
        finally:
            self._waiting[key].discard(woken)
            if not self._waiting[key]:
                del self._waiting[key]

    def wake_all(self) -> None:
        """Wake every stream: after a gap in listening, and at shutdown."""
        for streams in self._waiting.values():
            for woken in streams:
                woken.set()

    def _wake(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for woken in self._waiting.get(str(payload), ()):
            woken.set()

    async def run(self) -> None:
        """Listen until cancelled; reconnect after each failure."""
        healthy = True
        while True:
            try:
                await self._listen()
                healthy = True
            except DATABASE_ERRORS as error:
                if healthy:
                    logger.warning("listening for events failed; reconnecting", extra={"reason": str(error)})
                healthy = False
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self) -> None:
        """Listen until the connection is lost."""
        lost = asyncio.Event()
        async with self._engine.connect() as connection:
            raw = await connection.get_raw_connection()
            # Typed as Any by SQLAlchemy: asyncpg.Connection, whose listeners SQLAlchemy does not wrap.
            driver: Any = raw.driver_connection
            driver.add_termination_listener(lambda _: lost.set())
            try:
                await driver.add_listener(NOTIFY_CHANNEL, self._wake)
                self.wake_all()
                while not lost.is_set():
                    try:
                        async with asyncio.timeout(_PROBE_SECONDS):
                            await lost.wait()
                    except TimeoutError:
                        # Detects a server that vanished silently.
                        await driver.execute("SELECT 1", timeout=5)
            finally:
                # The connection has a listener and must not go back to the pool.
                await connection.invalidate()
