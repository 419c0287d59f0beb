"""Hands a collector's lines from who reads them to who stores them, with bounds on what waits between."""

import asyncio
from collections import deque
from typing import NamedTuple

from dryrun_orchestrator.session.collector_lines import Said

BATCH_LINES = 500
HELD_LINES = 4 * BATCH_LINES
BATCH_BYTES = 256 * 1024
"""As bytes of output; parsed, lines made for it take some 25 times as much."""
HELD_BYTES = 2 * BATCH_BYTES


class NumberedLine(NamedTuple):
    """A line and its number in its run; 1 is the first."""

    number: int
    said: Said


class LineQueue:
    """For one reader and one writer. Batches form by themselves: while one is stored, the next gathers."""

    def __init__(self) -> None:
        self._lines: deque[NumberedLine] = deque()
        self._size = 0
        self._closed = False
        self._changed = asyncio.Event()

    async def put(self, line: NumberedLine) -> None:
        """Add a line; waits while as much as may be held is held."""
        while len(self._lines) >= HELD_LINES or self._size >= HELD_BYTES:
            await self._changed.wait()
        self._lines.append(line)
        self._size += line.said.size
        self._tell()

    async def take(self) -> list[NumberedLine]:
        """Return what waits, up to a batch; waits for a line. Empty once the queue is closed and drained."""
        while not self._lines and not self._closed:
            await self._changed.wait()
        batch: list[NumberedLine] = []
        size = 0
        while self._lines and len(batch) < BATCH_LINES and size < BATCH_BYTES:
            line = self._lines.popleft()
            batch.append(line)
            size += line.said.size
        self._size -= size
        self._tell()
        return batch

    def close(self) -> None:
        """No line follows."""
        self._closed = True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
