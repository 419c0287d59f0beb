"""Begins a few answers at a time for one person: whoever asks for many at once waits for their own.

All share one event loop. Without turns, a person who asks for a hundred pages at once makes everybody else's
next page the hundred and first.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import Request

from approval_api.identity.person import Person
from approval_api.web.problems import ProblemError

AT_ONCE = 4
"""Turns of one person."""
HELD_SECONDS = 0.5
"""Longest that an answer holds its turn: one that takes longer mostly waits for somebody else."""
WAIT_SECONDS = 10.0
"""Longest that a request waits for its turn."""


@dataclass(slots=True)
class _Line:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    requests: int = 0


class Turns:
    """A line of requests for each person with any; first come, first served."""

    def __init__(self) -> None:
        """Start with nobody in line."""
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        """Return how many people are in line."""
        return len(self._lines)

    @asynccontextmanager
    async def taken(self, who: str) -> AsyncIterator["Turn"]:
        """Wait for a turn of `who`, and give it back at the end. Raises ProblemError: 429."""
        line = self._lines.setdefault(who, _Line())
        line.requests += 1
        turn = Turn(line.free)
        try:
            await turn.take()
            yield turn
        finally:
            turn.give_back()
            line.requests -= 1
            if not line.requests:
                del self._lines[who]


class Turn:
    """One request's turn; held until it is given back, and for `HELD_SECONDS` at most."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        """Start without it."""
        self._free = free
        self._end: asyncio.TimerHandle | None = None

    async def take(self) -> None:
        """Wait for the turn. Raises ProblemError: 429 `too-many-requests` after `WAIT_SECONDS`."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise ProblemError(
                "too-many-requests",
                429,
                "your other requests have to be answered first",
                title="Too many requests at once",
                headers={"Retry-After": "2"},
            ) from None
        self._end = asyncio.get_running_loop().call_later(HELD_SECONDS, self.give_back)

    def give_back(self) -> None:
        """Let the next request of the same person go on. Twice is as good as once."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
            self._free.release()


@asynccontextmanager
async def turn_of(request: Request, person: Person) -> AsyncIterator[None]:
    """Hold a turn of `person` while their answer is made, once per request. Raises ProblemError: 429."""
    turns: Turns = request.app.state.turns
    if "turn" in request.scope:
        yield
        return
    async with turns.taken(person.name) as request.scope["turn"]:
        yield


def give_turn_back(request: Request) -> None:
    """Let the next request of the same person go on: this one has places of its own to wait for."""
    turn: Turn = request.scope["turn"]
    turn.give_back()
