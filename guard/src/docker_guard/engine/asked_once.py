"""Asks for what many requests want at the same moment once, for all of them."""

import time
from collections.abc import Awaitable, Callable

from docker_guard.engine.fair_lock import FairLock

MOST_KEPT = 64
"""Answers, each to another key: those that clients ask for in turn."""


class AskedOnce[K, T]:
    """One question at a time; its answer serves every request that had come before it was asked.

    For them it is no older than if each asked itself, and however many they are, the engine is asked twice
    for each key in the time of two answers.
    """

    def __init__(
        self, ask: Callable[[K], Awaitable[T]], seconds: float, *, keeps_seconds: float = 0.0
    ) -> None:
        """Take the longest wait, and for how long an answer serves later requests too."""
        self._ask = ask
        self._turn = FairLock(seconds)
        self._keeps_seconds = keeps_seconds
        self._answers: dict[K, tuple[float, T]] = {}

    async def of(self, key: K) -> T:
        """Return the answer for a key. Raises Refusal after too long a wait, and what the question raises."""
        arrived = time.monotonic()
        async with self._turn.held():
            answer = self._answers.get(key)
            if answer is None or answer[0] <= arrived - self._keeps_seconds:
                self._answers.pop(key, None)
                began = time.monotonic()
                answer = self._answers[key] = began, await self._ask(key)
                if len(self._answers) > MOST_KEPT:
                    del self._answers[next(iter(self._answers))]
            return answer[1]
