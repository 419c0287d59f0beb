"""Answers that anybody may request, computed a few times a second at most."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

PER_SECOND, AT_ONCE = 5.0, 20.0


class Sparing[T]:
    """Computes an answer for one caller at a time, at a bounded rate; other callers get the previous one."""

    def __init__(self, compute: Callable[[], Awaitable[T]]) -> None:
        self._compute = compute
        self._lock = asyncio.Lock()
        self._last: T | None = None
        self._began_at = 0.0
        self._allowance = AT_ONCE
        self._refilled_at = monotonic()

    async def get(self) -> T:
        """Return an answer computed after this call began; above the rate, the previous one."""
        asked_at = monotonic()
        async with self._lock:
            if self._last is not None and (self._began_at >= asked_at or not self._may_begin()):
                return self._last
            began_at = monotonic()
            self._last = await self._compute()
            # Not before: whoever waits while a computation fails would get an answer from before their call.
            self._began_at = began_at
            return self._last

    def _may_begin(self) -> bool:
        now = monotonic()
        self._allowance = min(AT_ONCE, self._allowance + (now - self._refilled_at) * PER_SECOND)
        self._refilled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True
