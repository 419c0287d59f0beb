"""Asks for what many requests want at the same moment once, for all of them."""

import time
from collections.abc import Awaitable, Callable

from docker_guard.fair_lock import FairLock


class AskedOnce[K, T]:
    """One question at a time; its answer serves every request that had come before it was asked.

    For them it is no older than if each asked itself, and however many they are, the engine is asked twice
    in the time of two answers.
    """

    def __init__(
        self, ask: Callable[[K], Awaitable[T]], seconds: float, *, keeps_seconds: float = 0.0
    ) -> None:
        """Take the longest wait, and for how long an answer serves later requests too."""
        self._ask = ask
        self._turn = FairLock(seconds)
        self._keeps_seconds = keeps_seconds
        self._last: tuple[float, K, T] | None = None

    async def of(self, key: K) -> T:
        """Return the answer for a key. Raises Refusal after too long a wait, and what the question raises."""
        arrived = time.monotonic()
        async with self._turn.held():
            last = self._last
            if last is None or last[1] != key or last[0] <= arrived - self._keeps_seconds:
                began = time.monotonic()
                last = self._last = began, key, await self._ask(key)
            return last[2]
