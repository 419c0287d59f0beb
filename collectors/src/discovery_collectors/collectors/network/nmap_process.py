"""Runs nmap as a child process and passes on its output while it runs."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from discovery_collectors.collector import CollectorError
from discovery_collectors.collectors.network.nmap_xml import Host, NmapOutputError, NmapReader, Progress

_CHUNK_BYTES = 64 * 1024
_SILENCE_SECONDS = 600
"""nmap -v reports progress every 30 s; one that is silent for this long hangs."""
_STOP_SECONDS = 2
_COMPLAINT_BYTES = 4096


class NmapError(CollectorError):
    """nmap is missing, failed, hung, or wrote something else than its report."""


async def run_nmap(
    options: Sequence[str],
    targets: Iterable[str],
    environment: dict[str, str],
    on_found: Callable[[Host | Progress], None],
) -> None:
    """Run one scan of `targets` (addresses or networks, handed over on nmap's standard input).

    `environment` is added to the child's. Calls `on_found` as nmap writes. When cancelled, nmap is ended, by
    its process id. Raises NmapError.
    """
    async with _started(options, environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("\n".join(targets).encode("ascii"))
        process.stdin.write_eof()
        reader = NmapReader()
        complaint = asyncio.ensure_future(_end_of(process.stderr))
        try:
            while chunk := await asyncio.wait_for(process.stdout.read(_CHUNK_BYTES), _SILENCE_SECONDS):
                for found in reader.feed(chunk):
                    on_found(found)
            code = await asyncio.wait_for(process.wait(), _SILENCE_SECONDS)
            said = await complaint
        except TimeoutError:
            raise NmapError(f"nmap was silent for {_SILENCE_SECONDS} s and was ended") from None
        except NmapOutputError as error:
            raise NmapError(str(error)) from error
        finally:
            complaint.cancel()
    if code or not reader.finished:
        raise NmapError(f"nmap ended with exit code {code} before its report was complete: {said}")


@asynccontextmanager
async def _started(
    options: Sequence[str], environment: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    try:
        process = await asyncio.create_subprocess_exec(
            "nmap",
            *options,
            "-iL",
            "-",
            "-oX",
            "-",
            "--no-stylesheet",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | environment,
        )
    except FileNotFoundError:
        raise NmapError("the program nmap is not installed; install the package nmap") from None
    try:
        yield process
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _end_of(stream: asyncio.StreamReader) -> str:
    """Read to the end, so that nmap never waits for a reader, and keep the last few kilobytes."""
    kept = b""
    while chunk := await stream.read(_COMPLAINT_BYTES):
        kept = (kept + chunk)[-_COMPLAINT_BYTES:]
    return " ".join(kept.decode("utf-8", "replace").split()) or "it gave no reason"
