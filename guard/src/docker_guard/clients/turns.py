"""Runs one piece of costly work per iteration of the event loop, client by client: no crowd blocks it."""

import asyncio
from collections import deque


class Turns:
    """One queue for each client, served round-robin.

    Work that follows `mine()` runs until its next await. The loop then polls its sockets before the next in
    the queue has its turn.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._is_giving = False

    async def mine(self, key: str) -> None:
        """Wait for this client's turn."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._lines.setdefault(key, deque()).append(waiting)
        if not self._is_giving:
            self._is_giving = True
            loop.call_soon(self._give)
        await waiting

    def _give(self) -> None:
        """Wake the first of the next queue, and run again in the loop's next iteration."""
        while self._lines:
            key = next(iter(self._lines))
            line = self._lines.pop(key)
            waiting = line.popleft()
            if line:
                self._lines[key] = line  # behind the other clients
            if not waiting.done():
                waiting.set_result(None)
                asyncio.get_running_loop().call_soon(self._give)
                return
        self._is_giving = False
