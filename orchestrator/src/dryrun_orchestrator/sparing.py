"""Answers that anybody may ask for, worked out no more often than they change for a reader's purpose."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

PER_SECOND, AT_ONCE = 5.0, 20.0


class Sparing[T]:
    """Works an answer out for one asker at a time, and a few times a second; the others get the last one."""

    def __init__(self, work_out: Callable[[], Awaitable[T]]) -> None:
        self._work_out = work_out
        self._lock = asyncio.Lock()
        self._last: T | None = None
        self._began_at = 0.0
        self._allowance = AT_ONCE
        self._refilled_at = monotonic()

    async def get(self) -> T:
        """Return an answer that began to be worked out after this call, or the last one in a crowd."""
        asked_at = monotonic()
        async with self._lock:
            if self._last is not None and (self._began_at >= asked_at or not self._may_begin()):
                return self._last
            self._began_at = monotonic()
            self._last = await self._work_out()
            return self._last

    def _may_begin(self) -> bool:
        now = monotonic()
        self._allowance = min(AT_ONCE, self._allowance + (now - self._refilled_at) * PER_SECOND)
        self._refilled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True
