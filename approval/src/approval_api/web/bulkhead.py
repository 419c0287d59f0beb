"""Bounds slow work: one caller at work, a number waiting; the next one is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from approval_api.web.problems import ProblemError

RETRY_SECONDS = 5


def busy(what: str) -> ProblemError:
    """Return the 503 problem: too many wait for `what`."""
    return ProblemError(
        "busy",
        503,
        f"too many requests are waiting for {what}; try again in {RETRY_SECONDS} s",
        title="Too busy",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


class Bulkhead:
    """Lets one caller work and `waiting` more wait; any other is refused immediately."""

    def __init__(self, what: str, *, waiting: int) -> None:
        """Start empty; `what` names the work in the refusal."""
        self._what = what
        self._waiting = waiting
        self._inside = 0
        self._free = asyncio.Lock()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Wait for a place and hold it. Raises ProblemError: 503 `busy` when too many are waiting."""
        if self._inside > self._waiting:
            raise busy(self._what)
        self._inside += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1
