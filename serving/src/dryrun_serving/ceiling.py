"""How many of something there may be at once: in all, and for one person or address."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

type Full = Literal["in all", "of one"]


class Ceiling:
    """Counts places, or whatever has a size. Not thread-safe: one event loop takes and gives them back."""

    def __init__(self, in_all: int, of_one: int) -> None:
        """Start empty."""
        self.in_all = in_all
        self._of_one = of_one
        self._taken: Counter[str] = Counter()
        self.total = 0
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    def full(self, who: str, size: int = 1) -> Full | None:
        """Return which ceiling refuses `size` more places to `who`; None when there is room."""
        if self._taken.get(who, 0) + size > self._of_one:
            return "of one"
        return "in all" if self.total + size > self.in_all else None

    def take(self, who: str, size: int = 1) -> None:
        """Take `size` places, whatever the ceilings are."""
        self._taken[who] += size
        self.total += size

    def give_back(self, who: str, size: int = 1) -> None:
        """Give `size` places back."""
        self.total -= size
        self._taken[who] -= size
        if not self._taken[who]:
            del self._taken[who]
        self._serve()

    @contextmanager
    def place(self, who: str, size: int = 1) -> Iterator[None]:
        """Hold `size` places for `who`."""
        self.take(who, size)
        try:
            yield
        finally:
            self.give_back(who, size)

    @asynccontextmanager
    async def place_within(self, seconds: float, who: str) -> AsyncIterator[None]:
        """Wait for a place for `who` and hold it. Raises TimeoutError when there is none within `seconds`.

        One more place goes only to whoever holds fewer than are free, so that a few people who take all they
        can leave one to the next; where one may have them all, there is no next to leave one to. Of those who
        wait, it goes to who holds fewest; of several, to who was served longest ago.
        """
        if who not in self._lines and self._has_turn(who):
            self.take(who)
        else:
            await self._wait(seconds, who)
        try:
            yield
        finally:
            self.give_back(who)

    async def _wait(self, seconds: float, who: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(who, deque()).append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            if turn.cancelled():
                self._leave(who, turn)
            else:
                self.give_back(who)  # the place came at the moment when the wait ended
            raise

    def _leave(self, who: str, turn: asyncio.Future[None]) -> None:
        line = self._lines.get(who, deque())
        if turn in line:
            line.remove(turn)
            if not line:
                del self._lines[who]

    def _has_turn(self, who: str) -> bool:
        leaves_one = self._of_one >= self.in_all or self._taken.get(who, 0) < self.in_all - self.total
        return leaves_one and self.full(who) is None

    def _serve(self) -> None:
        """Give free places to those who wait."""
        while next_ones := [who for who in self._lines if self._has_turn(who)]:
            # Lines are in the order in which they were served, and min() takes the first of several.
            who = min(next_ones, key=lambda each: self._taken.get(each, 0))
            line = self._lines.pop(who)
            turn = line.popleft()
            if line:
                self._lines[who] = line
            if not turn.done():
                self.take(who)
                turn.set_result(None)
