"""Bounds the costly calls that clients have under way at the engine, so that a removal finds it free.

A start takes the engine about 130 ms of processor time. Two processors with 120 starts under way removed what
was due 13 to 24 s late, and are as fast with 8 at a time.
"""

import asyncio
import math
import os
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from docker_guard.engine.client import ON_BEHALF_OF
from docker_guard.leaving import Leaving
from docker_guard.refusal import Refusal
from docker_guard.rules.policy import Policy

MAKING_SECONDS, ENDING_SECONDS = 5.0, 1.0
"""How long a call keeps others waiting: one that hangs costs the engine nothing any more. A start may wait
for a fleet's manager, a stop for its container."""
_AT_ONCE, _PER_PROCESSOR = 8, 4
_MOST_HANGING = 2
"""How many times `at_once` may be under way, hanging calls included: when what these wait for returns, the
engine has to do all of them at the same time. Beyond that, each client that has none may have one: nobody's
hanging calls keep another from the engine."""


class EngineWork:
    """Calls of one kind: `at_once` under way, the others in one queue for each client, served round-robin."""

    def __init__(self, policy: Policy, hold_seconds: float, *, ending: bool = False, one_in: int = 1) -> None:
        """Take for how long a call keeps its place.

        `ending`: for stops and removals, which are made though their client left, however many hang.
        `one_in`: for calls that cost the engine that many times as much.
        """
        at_once = policy.calls_at_once or max(_AT_ONCE, _PER_PROCESSOR * (os.cpu_count() or 1))
        self._at_once = max(1, at_once // one_in)
        self._most = math.inf if ending else _MOST_HANGING * self._at_once
        self._held = self._under_way = 0
        """Calls that keep others waiting, and all; a call that hangs is among the latter only."""
        self._of_client = Counter[str]()
        """Of all that are under way, how many are each client's."""
        self._hold_seconds = hold_seconds
        self._wait_seconds = policy.engine_seconds
        self._for_who_left = ending
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self, *, on_overlay: bool = False) -> AsyncGenerator[None]:
        """Hold a place for a call. Raises Refusal, see `take`."""
        end = await self.take(on_overlay=on_overlay)
        try:
            yield
        finally:
            end()

    async def take(self, *, on_overlay: bool = False) -> Callable[[], None]:
        """Take a place for a call, and return what ends it; to end it again does nothing.

        Raises Refusal after `engine_seconds` without one, and when the client leaves before the call is made:
        it may have cleaned up already, and what is created after that stays until its deadline.

        `on_overlay`: such calls may hang with a fleet's manager. They count as another client's, so that they
        keep none of this client's other calls from the engine.
        """
        client = ON_BEHALF_OF.get()
        key = f"{client.key if client is not None else ''}{' on an overlay' if on_overlay else ''}"
        await self._enter(key, None if client is None or self._for_who_left else client.left)
        held = under_way = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._held -= 1
                self._admit()

        def end() -> None:
            nonlocal under_way
            if under_way:
                under_way = False
                timer.cancel()
                self._end(key)
                give_back()
                self._admit()

        timer = asyncio.get_running_loop().call_later(self._hold_seconds, give_back)
        return end

    async def _enter(self, key: str, left: Leaving | None) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, deque()).append(waiting)
        self._admit()
        has_left = is_admitted = False
        try:
            if not waiting.done():
                ends = {waiting} if left is None else {waiting, left.noticed}
                await asyncio.wait(ends, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED)
            has_left = left is not None and left.has_happened()
            is_admitted = waiting.done() and not has_left
        finally:
            if not is_admitted:
                self._give_up(key, waiting)
        if has_left:
            raise Refusal("left", "the client left before its call was made", 503)
        if not is_admitted:
            raise Refusal("crowd", "too many requests wait for the engine; try again", 503)

    def _give_up(self, key: str, waiting: asyncio.Future[None]) -> None:
        if waiting.done():  # admitted at the moment when the wait was over
            self._held -= 1
            self._end(key)
            self._admit()
        waiting.cancel()

    def _end(self, key: str) -> None:
        self._under_way -= 1
        self._of_client[key] -= 1
        if not self._of_client[key]:
            del self._of_client[key]

    def _admit(self) -> None:
        """Wake the first of each queue in turn, for as long as there are places."""
        while self._held < self._at_once and (key := self._next()) is not None:
            line = self._lines.pop(key)
            while line and line[0].done():
                line.popleft()  # whoever gave up costs their client no turn
            if line:
                self._held += 1
                self._under_way += 1
                self._of_client[key] += 1
                line.popleft().set_result(None)
            if line:
                self._lines[key] = line  # behind the other clients

    def _next(self) -> str | None:
        """Return the client whose turn it is, among those that may have another call under way."""
        if self._under_way < self._most:
            return next(iter(self._lines), None)
        return next((key for key in self._lines if key not in self._of_client), None)
