"""Runs the programs that build images (docker, uv, mmdebstrap), each with a log and a deadline."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.log_tail import tail

_SPLICED_BYTES: Final = 1 << 20


class ProgramError(LocalError):
    """A program is missing, failed or took too long; the message names it and ends with its last output."""


async def run(command: Sequence[str], log: Path, *, seconds: float, cwd: Path | None = None) -> None:
    """Run `command` with its output appended to `log`. Raises ProgramError; cancelling ends it."""
    with log.open("ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        process = await _start(command, stdout=output.fileno(), stderr=output.fileno(), cwd=cwd)
        await _finish([process], command[0], log, seconds)


async def pipe(
    source: Sequence[str],
    sink: Sequence[str],
    log: Path,
    *,
    seconds: float,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> None:
    """Run `source | sink`, both logged. Raises ProgramError when either fails.

    `on_bytes` is told, in a thread, how many have passed so far.
    """
    with log.open("ab") as output:
        output.write(f"$ {' '.join(source)} | {' '.join(sink)}\n".encode())
        output.flush()
        from_source, written = os.pipe()
        read, to_sink = os.pipe()
        started: list[asyncio.subprocess.Process] = []
        try:
            started.append(await _start(sink, stdin=read, stdout=output.fileno(), stderr=output.fileno()))
            started.append(await _start(source, stdout=written, stderr=output.fileno()))
        except BaseException:
            os.close(from_source)
            os.close(to_sink)
            for process in started:
                await _end(process)
            raise
        finally:
            os.close(read)
            os.close(written)
        # Nobody waits for it: what a program that was ended has started may keep its pipe open.
        threading.Thread(target=_pass_on, args=(from_source, to_sink, on_bytes), daemon=True).start()
        await _finish(started, source[0], log, seconds)


def _pass_on(source: int, sink: int, on_bytes: Callable[[int], None]) -> None:
    """Move all bytes from one pipe into another, and close both: either end's end is the other's."""
    passed = 0
    try:
        while moved := os.splice(source, sink, _SPLICED_BYTES):
            passed += moved
            on_bytes(passed)
    except BrokenPipeError:
        pass  # the sink has ended, and says why
    finally:
        os.close(source)
        os.close(sink)


async def capture(
    command: Sequence[str], *, given: str = "", environ: Mapping[str, str] | None = None, seconds: float = 60
) -> tuple[int, str, str]:
    """Run `command` and return exit code, output and error output. Raises ProgramError when it hangs.

    It reads `given`, and has the environment `environ` instead of this process's.
    """
    pipe = asyncio.subprocess.PIPE
    process = await _start(command, stdin=pipe, stdout=pipe, stderr=pipe, environ=environ)
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate(given.encode())
    except TimeoutError:
        raise ProgramError(f"{' '.join(command[:3])} did not end within {seconds:.0f} s") from None
    finally:
        await _end(process)
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace"), errors.decode(errors="replace")


async def run_in_image(
    image_id: str, program: str, script: str, *options: str, seconds: float = 60
) -> tuple[int, str, str]:
    """Run `program -c script` in a container without network or rights; return as `capture` does.

    Whatever ends this, the container goes too. Without that it would outlive its client: its first process
    does not heed signals.
    """
    name = f"dryrun-local-{uuid4().hex}"
    limits = ("--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=512m")
    command = ["docker", "run", "--rm", "--name", name, *limits, *options]
    try:
        return await capture([*command, f"--entrypoint={program}", image_id, "-c", script], seconds=seconds)
    except BaseException:
        with contextlib.suppress(ProgramError):  # the engine does not answer, which is said already
            await capture(["docker", "rm", "--force", name])
        raise


async def read_from[T](command: Sequence[str], consume: Callable[[BinaryIO], T], *, seconds: float) -> T:
    """Return what `consume`, in a thread, makes of the output of `command`. Raises ProgramError too."""
    reading_end, writing_end = os.pipe()
    return await _beside(command, os.fdopen(reading_end, "rb"), writing_end, consume, seconds)


async def write_to(command: Sequence[str], produce: Callable[[BinaryIO], None], *, seconds: float) -> None:
    """Give `command` what `produce` writes, in a thread. Raises ProgramError, and what `produce` raises."""
    reading_end, writing_end = os.pipe()
    await _beside(command, os.fdopen(writing_end, "wb"), reading_end, produce, seconds)


async def _beside[T](
    command: Sequence[str], own: BinaryIO, other: int, work: Callable[[BinaryIO], T], seconds: float
) -> T:
    """Run `command` with the `other` end of a pipe, and `work` on one's own; either one's end ends both."""
    with tempfile.TemporaryFile() as errors:
        try:
            stdin, stdout = (other, subprocess.DEVNULL) if own.writable() else (subprocess.DEVNULL, other)
            process = await _start(command, stdin=stdin, stdout=stdout, stderr=errors.fileno())
        except BaseException:
            own.close()
            raise
        finally:
            os.close(other)

        def worked() -> T:
            with own:
                return work(own)

        try:
            async with asyncio.timeout(seconds):
                # Both to their end: whichever fails ends the other by closing the pipe.
                working = asyncio.to_thread(worked)
                (result,) = await asyncio.gather(working, return_exceptions=True)
                code = await process.wait()
        except TimeoutError:
            raise ProgramError(f"{' '.join(command[:2])} did not end within {seconds:.0f} s") from None
        finally:
            await _end(process)
        failure = result if isinstance(result, BaseException) else None
        if code and not isinstance(failure, LocalError):
            # What broke in the middle broke because of that.
            errors.seek(0)
            said = errors.read(2000).decode(errors="replace").strip()
            raise ProgramError(f"{' '.join(command[:2])} failed: {said or f'exit code {code}'}") from failure
        if isinstance(result, BaseException):
            raise result
        return result


def find_uv(root: Path) -> str:
    """Return the path of uv: the project's own, the environment's or the one on PATH. Raises ProgramError."""
    places = (root / ".uv" / "bin" / "uv", Path(sys.executable).parent / "uv")
    found = next((str(place) for place in places if place.is_file()), None) or shutil.which("uv")
    if found is None:
        raise ProgramError(
            f"uv is missing in {places[0].parent}, {places[1].parent} and PATH; `make demo` installs it"
        )
    return found


async def _start(
    command: Sequence[str],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int,
    stderr: int,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=environ
        )
    except FileNotFoundError:
        raise ProgramError(
            f"the program {command[0]} is not installed; run `dryrun-local doctor` for how to install it"
        ) from None


async def _finish(
    processes: Sequence[asyncio.subprocess.Process], name: str, log: Path, seconds: float
) -> None:
    try:
        async with asyncio.timeout(seconds):
            codes = [await process.wait() for process in processes]
    except TimeoutError:
        raise ProgramError(f"{name} did not end within {seconds:.0f} s\n{tail(log)}") from None
    finally:
        for process in processes:
            await _end(process)
    if any(codes):
        raise ProgramError(f"{name} failed with exit code {next(filter(None, codes))}\n{tail(log)}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
