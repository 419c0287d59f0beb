"""Bounds the costly calls that clients have under way at the engine, so that a removal finds it free.

A start takes the engine about 130 ms of processor time. Two processors with 120 starts under way removed what
was due 13 to 24 s late, and are as fast with 8 at a time.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from docker_guard.engine import ON_BEHALF_OF
from docker_guard.policy import Policy
from docker_guard.refusal import Refusal

MAKING_SECONDS, ENDING_SECONDS = 5.0, 1.0
"""How long a call keeps others waiting: one that hangs costs the engine nothing any more. A start may wait
for a fleet's manager, a stop for its container."""
_AT_ONCE, _PER_PROCESSOR = 8, 4


class EngineWork:
    """Calls of one kind: `at_once` under way, the others in one queue for each client, served round-robin."""

    def __init__(self, policy: Policy, hold_seconds: float) -> None:
        """Take for how long a call keeps its place."""
        self._free = policy.calls_at_once or max(_AT_ONCE, _PER_PROCESSOR * (os.cpu_count() or 1))
        self._hold_seconds = hold_seconds
        self._wait_seconds = policy.engine_seconds
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Hold a place for a call. Raises Refusal after `engine_seconds` without one."""
        client = ON_BEHALF_OF.get()
        await self._enter(client.key if client is not None else "")
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._leave()

        timer = asyncio.get_running_loop().call_later(self._hold_seconds, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()

    async def _enter(self, key: str) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, deque()).append(waiting)
        self._admit()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled():
                self._leave()  # admitted at the moment when the wait was over
            if isinstance(error, TimeoutError):
                raise Refusal("crowd", "too many requests wait for the engine; try again", 503) from None
            raise

    def _leave(self) -> None:
        self._free += 1
        self._admit()

    def _admit(self) -> None:
        """Wake the first of each queue in turn, for as long as there are places."""
        while self._free and self._lines:
            key = next(iter(self._lines))
            line = self._lines.pop(key)
            while line and line[0].done():
                line.popleft()  # whoever gave up costs their client no turn
            if line:
                self._free -= 1
                line.popleft().set_result(None)
            if line:
                self._lines[key] = line  # behind the other clients
