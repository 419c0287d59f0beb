"""Bounds the time that one server may take, whatever pauses a packet rate requires meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ServerTime:
    """The time of one server: only pauses that were made prolong it."""

    def __init__(self, seconds: float, pause_seconds: float) -> None:
        """Give a server so many seconds, and make pauses so long."""
        self._seconds = seconds
        self._pause_seconds = pause_seconds
        self._limit: asyncio.Timeout | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the time run. Raises TimeoutError when the server took all of it."""
        async with asyncio.timeout(self._seconds) as self._limit:
            yield

    async def pause(self) -> None:
        """Pause, without the server's time running."""
        if self._limit is not None and (end := self._limit.when()) is not None:
            self._limit.reschedule(end + self._pause_seconds)
        await asyncio.sleep(self._pause_seconds)
