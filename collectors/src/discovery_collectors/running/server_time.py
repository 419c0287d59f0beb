"""Bounds the time that one server may take, whatever pauses a packet rate requires meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ServerTime:
    """The time of one server: only pauses that were made prolong it."""

    def __init__(self, seconds: float, packets_per_second: int | None) -> None:
        """Give a server so many seconds; without a packet rate there are no pauses."""
        self._seconds = seconds
        self._rate = packets_per_second
        self._limit: asyncio.Timeout | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the time run. Raises TimeoutError when the server took all of it."""
        try:
            async with asyncio.timeout(self._seconds) as self._limit:
                yield
        finally:
            self._limit = None

    async def pause(self, packets: int) -> None:
        """Pause for as long as so many packets take, without the server's time running."""
        seconds = 0.0 if self._rate is None else packets / self._rate
        if self._limit is not None and (end := self._limit.when()) is not None:
            self._limit.reschedule(end + seconds)
        await asyncio.sleep(seconds)
