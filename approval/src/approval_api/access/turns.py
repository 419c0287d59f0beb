"""Begins a few answers at a time for each person: whoever sends many requests at once waits for their own.

All people share one event loop. Without turns, a person who requests a hundred pages at once makes everybody
else's next page the hundred and first.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import Request

from approval_api.identity.person import Person
from approval_api.web.problems import too_many_at_once

AT_ONCE = 4
"""How many turns one person has."""
HELD_SECONDS = 0.5
"""How long an answer holds its turn at most: one that takes longer mostly waits for something else."""
WAIT_SECONDS = 10.0
"""How long a request waits for its turn at most."""


@dataclass(slots=True)
class _Line:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    requests: int = 0


class Turns:
    """A queue of requests for each person who has any; first come, first served."""

    def __init__(self) -> None:
        """Start with nobody in a queue."""
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        """Return how many people have requests."""
        return len(self._lines)

    @asynccontextmanager
    async def taken(self, who: str) -> AsyncIterator["Turn"]:
        """Wait for a turn of `who`, and release it at the end. Raises ProblemError: 429."""
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
    """One request's turn; held until it is released, and for `HELD_SECONDS` at most."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        """Start without holding it."""
        self._free = free
        self._end: asyncio.TimerHandle | None = None

    async def take(self) -> None:
        """Wait for the turn. Raises ProblemError: 429 `too-many-requests` after `WAIT_SECONDS`."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise too_many_at_once() from None
        self._end = asyncio.get_running_loop().call_later(HELD_SECONDS, self.give_back)

    def give_back(self) -> None:
        """Let the next request of the same person go on; a second call has no effect."""
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
    """Let the next request of the same person go on: this one waits for places of another kind."""
    turn: Turn = request.scope["turn"]
    turn.give_back()
