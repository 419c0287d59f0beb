"""Keeps what a run itself sends to its packets per second."""

import asyncio


class PacketRate:
    """Gives out turns at `per_second` packets; with None everybody's turn is now."""

    def __init__(self, per_second: int | None) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    @property
    def per_second(self) -> int | None:
        """Packets per second; None when there is no bound."""
        return self._per_second

    def change(self, per_second: int) -> None:
        """Go on at another rate; turns already given out stay."""
        self._per_second = per_second

    async def take(self, packets: int) -> None:
        """Wait until `packets` may be sent; they are paid for at once, in the order of the calls."""
        if self._per_second is None:
            return
        now = asyncio.get_running_loop().time()
        turn = max(now, self._free_at)
        self._free_at = turn + packets / self._per_second
        await asyncio.sleep(turn - now)
