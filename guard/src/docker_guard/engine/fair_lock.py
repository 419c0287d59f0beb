"""A lock for which clients take turns, however many requests each of them has waiting."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from docker_guard.engine.client import ON_BEHALF_OF
from docker_guard.refusal import Refusal


class FairLock:
    """Held by one request at a time; the others wait in one queue for each client, served round-robin.

    In a single queue, 190 requests of one client would keep another's waiting for all of them. Whoever holds
    it asks the engine for nobody's account: others wait for that, too, and neither what their client holds
    already nor its own queue for long answers (`turns.py`) is to delay them.
    """

    def __init__(self, wait_seconds: float) -> None:
        """Take the longest wait."""
        self._wait_seconds = wait_seconds
        self._is_held = False
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Hold the lock. Raises Refusal when the wait for it takes too long."""
        if self._is_held:
            await self._wait()
        self._is_held = True
        client = ON_BEHALF_OF.set(None)
        try:
            yield
        finally:
            self._pass_on()
            ON_BEHALF_OF.reset(client)

    async def _wait(self) -> None:
        client = ON_BEHALF_OF.get()
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client.key if client is not None else "", deque()).append(waiting)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled():
                self._pass_on()  # it was passed here at the moment when the wait was over
            if isinstance(error, TimeoutError):
                raise Refusal("crowd", "too many requests wait for a place; try again", 503) from None
            raise

    def _pass_on(self) -> None:
        """Give the lock to the first of the next queue; it is never free in between."""
        while self._lines:
            key = next(iter(self._lines))
            line = self._lines.pop(key)
            while line and line[0].done():
                line.popleft()  # whoever gave up costs their client no turn
            if line:
                waiting = line.popleft()
                if line:
                    self._lines[key] = line  # behind the other clients
                waiting.set_result(None)
                return
        self._is_held = False
