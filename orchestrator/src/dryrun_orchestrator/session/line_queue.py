"""A bounded queue of a collector's lines between the reader and the writer."""

import asyncio
from collections import deque
from typing import NamedTuple

from dryrun_orchestrator.session.collector_lines import Said

BATCH_LINES = 500
HELD_LINES = 4 * BATCH_LINES
BATCH_BYTES = 256 * 1024
"""Bytes of output; parsed, hostile lines take about 25 times as much memory."""
HELD_BYTES = 2 * BATCH_BYTES


class NumberedLine(NamedTuple):
    """A line and its number in its run, from 1."""

    number: int
    said: Said


class LineQueue:
    """For one reader and one writer. While a batch is stored, the next one gathers."""

    def __init__(self) -> None:
        self._lines: deque[NumberedLine] = deque()
        self._size = 0
        self._closed = False
        self._changed = asyncio.Event()

    async def put(self, line: NumberedLine) -> None:
        """Add a line; waits while the queue is full."""
        while len(self._lines) >= HELD_LINES or self._size >= HELD_BYTES:
            await self._changed.wait()
        self._lines.append(line)
        self._size += line.said.size
        self._tell()

    async def take(self) -> list[NumberedLine]:
        """Return up to a batch of lines, waiting for the first; empty once the queue is closed and empty."""
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
        """Announce that no line follows."""
        self._closed = True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
