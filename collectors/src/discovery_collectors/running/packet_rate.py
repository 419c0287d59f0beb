"""Keeps what a run itself sends to its packets per second."""

import asyncio
import heapq
from itertools import count
from typing import NamedTuple


class _Turn(NamedTuple):
    """What waits; the least is next."""

    later: bool
    number: int
    packets: int
    granted: asyncio.Future[None]


class PacketRate:
    """Gives out turns at `per_second` packets; with None everybody's turn is now."""

    def __init__(self, per_second: int | None) -> None:
        self._per_second = per_second
        self._free_at = 0.0
        self._waiting: list[_Turn] = []
        self._order = count()
        self._coming = False
        """Whether the next turn is on its way."""

    @property
    def per_second(self) -> int | None:
        """Packets per second; None when there is no bound."""
        return self._per_second

    def change(self, per_second: int | None) -> None:
        """Go on at another rate; turns already given out stay."""
        self._per_second = per_second

    async def take(self, packets: int, *, ahead: bool = False) -> None:
        """Wait until `packets` may be sent, in the order of the calls; they are paid for at once.

        `ahead`: before all that wait without it. nmap gives a service up whose answer waits here for long.
        """
        if self._per_second is None:
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, _Turn(not ahead, next(self._order), packets, granted))
        self._grant()
        await granted

    def _grant(self) -> None:
        """Give out the turns that have come, and come back for the next."""
        assert self._per_second is not None
        loop = asyncio.get_running_loop()
        while self._waiting and (self._waiting[0].granted.done() or self._free_at <= loop.time()):
            turn = heapq.heappop(self._waiting)
            # Whoever was cancelled sends nothing.
            if not turn.granted.done():
                turn.granted.set_result(None)
                self._free_at = max(loop.time(), self._free_at) + turn.packets / self._per_second
        if self._waiting and not self._coming:
            self._coming = True
            loop.call_at(self._free_at, self._come)

    def _come(self) -> None:
        self._coming = False
        self._grant()
