"""Starts the process that reads foreign output, and passes bytes and lines through its pipes.

What comes back is checked like a collector's lines: whoever takes over that process can say what any
collector can say, and do nothing else.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from dryrun_contract.text import printable
from dryrun_orchestrator.readers.confinement import CPU_SECONDS
from dryrun_orchestrator.readers.line_splitter import LineSplitter

PIECE_BYTES = 64 * 1024
ERROR_BYTES = 4096


class ReaderFailedError(Exception):
    """The process ended early, so the output was not read to its end; the message says why."""


@dataclass(slots=True)
class ReaderProcess:
    """One reading of one output."""

    _process: asyncio.subprocess.Process

    @classmethod
    @asynccontextmanager
    async def start(cls, reader: str) -> AsyncIterator[Self]:
        """Start it for a format that code reads, or a table as JSON; it is gone when the block is left."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "dryrun_orchestrator.readers.program", reader),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def feed(self, data: bytes) -> None:
        """Pass bytes on; waits while the process has enough. Does nothing once the process has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return  # `lines` says why

    async def end(self) -> None:
        """Tell the process that the output has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await self._process.stdin.wait_closed()
        except (BrokenPipeError, ConnectionResetError):
            return

    async def lines(self, *, whole: bool) -> AsyncIterator[list[bytes]]:
        """Yield what the process says; what the end of the output completes only if `whole`.

        Raises ReaderFailedError when it ends in another way than after the output.
        """
        assert self._process.stdout is not None
        splitter = LineSplitter()
        at_the_end = False
        while data := await self._process.stdout.read(PIECE_BYTES):
            lines = splitter.feed(data)
            if not at_the_end and b"" in lines:
                at_the_end = True
                place = lines.index(b"")
                lines = lines[:place] + (lines[place + 1 :] if whole else [])
            elif at_the_end and not whole:
                lines = []
            yield lines
        await self._require_success()

    async def _require_success(self) -> None:
        assert self._process.stderr is not None
        error = await self._process.stderr.read(ERROR_BYTES)
        code = await self._process.wait()
        # The kernel ends it by either at its limit of processor time, and by the second when memory runs out.
        if code == -signal.SIGXCPU:
            raise ReaderFailedError(f"it takes more than {CPU_SECONDS} s of processor time")
        if code == -signal.SIGKILL:
            raise ReaderFailedError(
                f"its reader was killed: it took more than {CPU_SECONDS} s of processor time, or this "
                "machine ran out of memory"
            )
        if code:
            said = error.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise ReaderFailedError(printable(said or f"exit code {code}", limit=200))
