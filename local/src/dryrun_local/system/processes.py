"""Child processes, each with a log, a readiness check and a deadline for its end; none is left behind."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dryrun_contract.text import printable
from dryrun_local.machine.errors import ServiceDiedError
from dryrun_local.machine.installation import OWNER_MARK, Installation
from dryrun_local.machine.log_tail import tail

_POLL_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run. It is stopped by `stop_signal`, and killed `stop_seconds` later."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0


class Child:
    """A running program."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process) -> None:
        self.program = program
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def death(self) -> ServiceDiedError:
        """Wait until the process ends; return an error to raise."""
        code = await self._process.wait()
        ended = f"{self.program.name} ended unexpectedly ({_exit_text(code)})"
        return ServiceDiedError(f"{ended}; the end of its log:\n{tail(self.program.log)}")

    async def until(self, missing: Callable[[], Awaitable[str]], seconds: float) -> None:
        """Wait until `missing` returns ""; otherwise it returns what is missing, in one sentence.

        Raises ServiceDiedError when the process ends or takes too long, with what was missing last.
        """
        death = asyncio.create_task(self.death())
        last = ""
        try:
            async with asyncio.timeout(seconds):
                while last := await missing():
                    done, _ = await asyncio.wait({death}, timeout=_POLL_SECONDS)
                    if done:
                        raise death.result()
        except TimeoutError:
            raise ServiceDiedError(
                f"{self.program.name} was not ready within {seconds:.0f} s ({last or 'no answer'}); "
                f"the end of its log:\n{tail(self.program.log)}"
            ) from None
        finally:
            death.cancel()

    async def stop(self) -> None:
        """Stop the process: signal, wait, kill."""
        if self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(self.program.stop_signal)
        try:
            async with asyncio.timeout(self.program.stop_seconds):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running(installation: Installation, program: Program) -> AsyncIterator[Child]:
    """Run `program` during the block, in its own process session: Ctrl-C reaches only this process.

    Raises ServiceDiedError if the program cannot be started.
    """
    environment = {**program.environment, OWNER_MARK: str(installation.state)}
    previous = program.log.with_name(f"{program.log.name}.1")
    if program.log.exists():
        program.log.replace(previous)
    program.log.touch()
    try:
        process = await _execute(installation, program, environment)
    except OSError as error:
        raise ServiceDiedError(
            f"{program.name} cannot be started: {error}; `make demo` repeats the set-up"
        ) from error
    child = Child(program, process)
    try:
        yield child
    finally:
        await child.stop()


async def _execute(
    installation: Installation, program: Program, environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    with program.log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *program.command,
            env=environment,
            cwd=installation.root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


async def end_leftovers(installation: Installation) -> list[str]:
    """End processes that a killed run left, found by the mark in their environment. Returns their names.

    Call this only while holding the installation's lock: then no running command owns such a process.
    """
    ended = []
    # The database last, for its clients; SIGINT ends it, while on SIGTERM it waits for them.
    for pid, command in sorted(find_leftovers(installation), key=lambda found: found[1] == "postgres"):
        first = signal.SIGINT if command == "postgres" else signal.SIGTERM
        for number, seconds in ((first, 8.0), (signal.SIGKILL, 5.0)):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
            if await _gone(pid, seconds):
                break
        ended.append(f"{command} (process {pid})")
    return ended


def find_leftovers(installation: Installation) -> list[tuple[int, str]]:
    """Return pid and program of every other process with the installation's mark."""
    mark = f"{OWNER_MARK}={installation.state}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        # Processes may end meanwhile, and those of other users are not readable.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
                found.append((int(folder.name), _program_name(arguments)))
    return found


def _program_name(arguments: list[bytes]) -> str:
    names = [argument.decode(errors="replace").rpartition("/")[2] for argument in arguments[:2]]
    # A console script runs as `python /…/bin/NAME`.
    return printable(next((name for name in names if name and not name.startswith("python")), "a program"))


async def _gone(pid: int, seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        if not _is_alive(pid):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # The program's name is in parentheses and may contain anything; the state follows.
    return stat.rpartition(")")[2].split()[0] != "Z"


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
