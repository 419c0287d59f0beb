"""How many of something there may be at once: in all, and for one person or address."""

import asyncio
from collections import Counter
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
        self._freed = asyncio.Event()

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
        self._freed.set()

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
        """Wait for a place for `who` and hold it. Raises TimeoutError when there is none within `seconds`."""
        async with asyncio.timeout(seconds):
            while self.full(who) is not None:
                self._freed.clear()
                await self._freed.wait()
        with self.place(who):
            yield
