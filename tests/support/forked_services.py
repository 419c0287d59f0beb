"""Starts the services of tests by forking a process that has imported them.

A system is three services whose imports take 3.5 s of processor time, and most tests across services start
one. Everything after the imports is as in a started service: `main` with its arguments, environment, folder
and log. What has to be tested from its very start (`make demo`, a container, a preloaded library) is started
in the usual way.
"""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import service_forge

from dryrun_local.machine.installation import Installation
from dryrun_local.system import processes
from dryrun_local.system.processes import Program

SERVICES = {
    "approval-api": (
        "approval_api.main",
        "approval_api.server",
        "httpcore2",
        "sqlalchemy.dialects.postgresql.asyncpg",
        "analysed_routes",
    ),
    "dryrun-orchestrator": ("dryrun_orchestrator.main",),
    "docker-guard": ("docker_guard.main", "docker_guard.serve"),
}
"""The modules that each service imports; the first one has its `main`."""
_IMPORT_SECONDS = 60 * float(os.environ.get("DRYRUN_PATIENCE", "1"))


class ForkedProcess:
    """A process that is the child of another one, with what a `Child` needs of it."""

    def __init__(self, pid: int, end: int) -> None:
        """Represent process `pid`, whose exit code will be read from the descriptor `end`."""
        self.pid = pid
        self._returncode: int | None = None
        self._end = end

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self._returncode is None and select.select([self._end], [], [], 0)[0]:
            said = os.read(self._end, 16)
            if not said:
                # The forge has ended without reporting: nobody would learn how the process ends.
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            self._returncode = int(said or -signal.SIGKILL)
            os.close(self._end)
        return self._returncode

    async def wait(self) -> int:
        """Wait until it ends; return its exit code, negative for a signal."""
        loop = asyncio.get_running_loop()
        while (code := self.returncode) is None:
            ready = asyncio.Event()
            watched = os.dup(self._end)
            loop.add_reader(watched, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(watched)
                os.close(watched)
        return code

    def has_ended_within(self, seconds: float) -> bool:
        """Wait until it ends, for so long at most; return whether it has."""
        if self._returncode is None:
            select.select([self._end], [], [], seconds)
        return self.returncode is not None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Forge:
    """Starts one program from a process that has imported it; see `service_forge`."""

    def __init__(self, modules: tuple[str, ...], folder: Path | None = None) -> None:
        """Import `modules` in a new process, also from `folder`; the first one has the program's `main`."""
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, service_forge.__file__, *modules],
                stdin=theirs.fileno(),
                start_new_session=True,
                env=os.environ | ({"PYTHONPATH": str(folder)} if folder else {}),
            )
        self._requests.settimeout(_IMPORT_SECONDS)

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        streams: Sequence[int],
        network: Path | None = None,
    ) -> ForkedProcess:
        """Start the program with these standard streams; in another network if one is named."""
        read, write = os.pipe2(os.O_CLOEXEC)
        wanted = {
            "arguments": arguments,
            "environment": dict(environment),
            "folder": str(folder),
            "network": str(network or ""),
        }
        try:
            socket.send_fds(self._requests, [json.dumps(wanted).encode()], [*streams, write])
            answer = self._requests.recv(4096).decode()
        except OSError:
            os.close(read)
            raise
        finally:
            os.close(write)
        if not answer.isdecimal():
            os.close(read)
            raise OSError(answer or "its forge has ended")
        return ForkedProcess(int(answer), read)

    def close(self) -> None:
        """End the forge."""
        self._requests.close()
        self._process.kill()
        self._process.wait(10)


class Forges:
    """One forge for each program, from when it is first started."""

    def __init__(self) -> None:
        """Begin with none."""
        self._forges: dict[str, Forge] = {}
        self._lock = threading.Lock()

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        network: Path | None = None,
    ) -> ForkedProcess:
        """Start a program of SERVICES, whose output is appended to `log`; `network` is a namespace's file."""
        name = Path(command[0]).name
        with self._lock:
            if name not in self._forges:
                self._forges[name] = Forge(SERVICES[name])
            try:
                with open(os.devnull, "rb") as nothing, log.open("ab") as output:  # noqa: PTH123  # no file
                    streams = (nothing.fileno(), output.fileno(), output.fileno())
                    return self._forges[name].start(command, environment, folder, streams, network)
            except OSError:
                # A late answer would be taken for the next one's.
                self._forges.pop(name).close()
                raise

    def close(self) -> None:
        """End them."""
        while self._forges:
            self._forges.popitem()[1].close()


FORGES = Forges()


@contextmanager
def forking(installed: Path) -> Iterator[None]:
    """Let the services of `installed`, a folder of programs, start by fork during the block."""
    execute = processes._execute

    async def start(installation: Installation, program: Program, environment: dict[str, str]) -> object:
        path = Path(program.command[0])
        if path.parent != installed or path.name not in SERVICES or "LD_PRELOAD" in environment:
            return await execute(installation, program, environment)
        return FORGES.start(program.command, environment, installation.root, program.log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "_execute", start)
        try:
            yield
        finally:
            FORGES.close()
