"""Gives costly work one turn of the event loop at a time, client by client: no crowd holds the loop."""

import asyncio
from collections import deque


class Turns:
    """One waiting line for each client, served in rotation.

    Work that follows `mine()` runs until its next await. Then the loop looks at its sockets before the next
    one in line has its turn.
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
        """Wake the first of the next line, and come back one turn of the loop later."""
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
