"""Starts the worker processes of tests by forking a process that has imported them.

A service starts each worker once; here nearly every test has a service of its own, and a worker's imports
take 0.25 s of processor time. Its tasks, limits, environment and end are as in a started one.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from forked_services import Forge, ForkedProcess

from approval_api.computing.worker_process import _FROM_ENVIRONMENT, WorkerProcess


class ForkedWorker:
    """What a `WorkerProcess` needs of its process; both streams are one connection."""

    def __init__(
        self, process: ForkedProcess, stdout: asyncio.StreamReader, stdin: asyncio.StreamWriter
    ) -> None:
        """Represent `process`, which is spoken to by these streams."""
        self._process = process
        self.stdout, self.stdin = stdout, stdin
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.returncode

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()

    async def wait(self) -> int:
        """Wait until it has ended and its streams are closed; return its exit code."""
        code = await self._process.wait()
        with suppress(OSError):
            await self.stdin.wait_closed()
        return code


class Forges:
    """One forge for each module of workers, made when it is first needed."""

    def __init__(self) -> None:
        """Make none yet."""
        self._forges: dict[str, Forge] = {}
        self._lock = threading.Lock()

    async def start(self, module: str) -> ForkedWorker:
        """Start a worker."""
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.to_thread(self._fork, module, theirs)
            return ForkedWorker(process, *await asyncio.open_unix_connection(sock=ours, limit=1024 * 1024))
        except BaseException:
            ours.close()
            raise

    def _fork(self, module: str, end: socket.socket) -> ForkedProcess:
        environment = {name: os.environ[name] for name in _FROM_ENVIRONMENT if name in os.environ}
        with end, self._lock:
            if module not in self._forges:
                self._forges[module] = Forge((module,))
            streams = (end.fileno(), end.fileno(), 2)
            return self._forges[module].start((module,), environment, Path.cwd(), streams)

    def close(self) -> None:
        """End all."""
        for forge in self._forges.values():
            forge.close()


@contextmanager
def forking(forges: Forges) -> Iterator[None]:
    """Let every worker process start by fork during the block."""

    async def start(worker: WorkerProcess) -> ForkedWorker:
        return await forges.start(worker._module)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkerProcess, "_started", start)
        yield
