"""Runs nmap as a child process and passes on what it finds while it looks for more."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from discovery_collectors.collector import CollectorError
from discovery_collectors.collectors.network.nmap_xml import (
    Host,
    HostUp,
    NmapOutputError,
    NmapReader,
    Progress,
)

_CHUNK_BYTES = 64 * 1024
_LINE_BYTES = 4096
_SILENCE_SECONDS = 600
"""nmap that neither writes nor computes for this long hangs. A long scan may write nothing for longer."""
_LOOK_SECONDS = 5.0
"""Between two looks for its signs of life."""
_STOP_SECONDS = 2
_COMPLAINT_BYTES = 4096
_STATUS = Path("/proc/self/status")
_EFFECTIVE = re.compile(r"^CapEff:\s*([0-9a-f]{1,16})$", re.MULTILINE)
_CAP_NET_RAW = 13
_DISCOVERED = re.compile(rb"Discovered open port (\d{1,5})/tcp on (\d{1,3}(?:\.\d{1,3}){3})\s*")
"""What nmap -v says at once; its report names a host's ports when all hosts of the group are scanned."""
_ASKED = re.compile(
    rb"Service scan sending probe (\w{1,64}) to (\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5}) \(tcp\)\s*"
)
"""What nmap -d2 says of each question of its version detection."""
_UNDERSTOOD = re.compile(
    rb"Service scan (?:hard|soft) match \(Probe \w{1,64} matched with \w{1,64} line \d{1,6}\): "
    rb"(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5}) "
)
"""What nmap -d2 says of an answer that it understands, before what the service says of itself."""

_GAVE_UP = re.compile(
    rb"Warning: (\d{1,3}(?:\.\d{1,3}){3}) giving up on port because retransmission cap hit \(\d{1,3}\)\.\s*"
)
"""What nmap says once of a host, by default too: so much is lost that it takes ports for filtered."""


class NmapError(CollectorError):
    """nmap is missing, failed, hung, or wrote something else than its report."""


@dataclass(frozen=True, slots=True)
class OpenPort:
    """A port that nmap found open a moment ago."""

    address: str
    number: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that nmap sends: nothing it asked there before was understood."""

    address: str
    number: int
    probe: str
    """Its name in nmap-service-probes."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A port whose answer nmap understands: it asks nothing more, or only what such a service answers."""

    address: str
    number: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """A host some of whose ports nmap no longer asks, although their answers may have been lost."""

    address: str


type _Spoken = Asked | GaveUp | OpenPort | Understood
type Found = _Spoken | Host | HostUp | Progress


@dataclass(slots=True)
class _Life:
    """What shows that an nmap goes on."""

    pid: int
    read: int = 0
    """Bytes it wrote to its pipes."""

    def signs(self) -> tuple[int, int]:
        """Return what changes as long as it lives."""
        return self.read, _processor_ticks(self.pid)


async def run_nmap(
    options: Sequence[str],
    targets: Iterable[str],
    environment: dict[str, str],
    on_found: Callable[[Found], None],
) -> None:
    """Run one scan of `targets` (addresses or networks, handed over on nmap's standard input).

    `environment` is added to the child's. Calls `on_found` as nmap writes, open ports first, the report of
    their host at its end. When cancelled, nmap is ended, by its process id. Raises NmapError.
    """
    reader = NmapReader()
    loop = asyncio.get_running_loop()
    async with _started(options, environment) as (process, report):
        life = _Life(process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("\n".join(targets).encode("ascii"))
        process.stdin.write_eof()
        complaint = asyncio.ensure_future(_end_of(process.stderr, life))
        spoken = asyncio.ensure_future(_read_spoken(process.stdout, on_found, life))
        reading = asyncio.ensure_future(_read_report(report, reader, on_found, life))
        waiting = asyncio.timeout_at(loop.time() + _SILENCE_SECONDS)
        watch = asyncio.ensure_future(_grant_time(waiting, life))
        try:
            async with waiting:
                # Both at once: nmap stops where nobody reads one of them any more.
                await asyncio.gather(reading, spoken)
                code = await process.wait()
                said = await complaint
        except TimeoutError:
            raise NmapError(
                f"nmap wrote nothing and did nothing for {_SILENCE_SECONDS} s and was ended"
            ) from None
        except NmapOutputError as error:
            raise NmapError(str(error)) from error
        finally:
            tasks = (watch, reading, spoken, complaint)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    if code or not reader.finished:
        raise NmapError(f"nmap ended with exit code {code} before its report was complete: {said}")


@asynccontextmanager
async def _started(
    options: Sequence[str], environment: dict[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    # The report has a pipe of its own: on standard output it would silence what nmap says meanwhile.
    reading, writing = os.pipe()
    report = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(report), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        try:
            process = await asyncio.create_subprocess_exec(
                "nmap",
                *options,
                "-iL",
                "-",
                "-oX",
                f"/dev/fd/{writing}",
                "--no-stylesheet",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | _rights() | environment,
                pass_fds=(writing,),
            )
        except FileNotFoundError:
            raise NmapError("the program nmap is not installed; install the package nmap") from None
        finally:
            # Else the report would never end.
            os.close(writing)
        try:
            yield process, report
        finally:
            if process.returncode is None:
                await _end(process)
    finally:
        transport.close()


def _rights() -> dict[str, str]:
    """Return what tells nmap to connect where root has no raw sockets; it takes any root to have them."""
    try:
        effective = _EFFECTIVE.search(_STATUS.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return {}
    if effective is None or int(effective[1], 16) >> _CAP_NET_RAW & 1:
        return {}
    return {"NMAP_UNPRIVILEGED": "1"}


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _grant_time(waiting: asyncio.Timeout, life: _Life) -> None:
    """Move the end of waiting with every sign of life."""
    loop = asyncio.get_running_loop()
    last = life.signs()
    while not waiting.expired():
        await asyncio.sleep(_LOOK_SECONDS)
        signs = life.signs()
        if signs != last and not waiting.expired():
            last = signs
            waiting.reschedule(loop.time() + _SILENCE_SECONDS)


def _processor_ticks(pid: int) -> int:
    """Return the processor time that a process has had, in the kernel's ticks; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    # utime and stime, fields 14 and 15 of proc_pid_stat(5); the program's name before may hold blanks.
    return int(fields[11]) + int(fields[12])


async def _read_report(
    stream: asyncio.StreamReader, reader: NmapReader, on_found: Callable[[Found], None], life: _Life
) -> None:
    """Read nmap's report, and pass on hosts and progress. Raises NmapOutputError."""
    while chunk := await stream.read(_CHUNK_BYTES):
        life.read += len(chunk)
        for found in reader.feed(chunk):
            on_found(found)


async def _read_spoken(stream: asyncio.StreamReader, on_found: Callable[[Found], None], life: _Life) -> None:
    """Read what nmap says to its user, and pass on what `_spoken` finds in it."""
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        life.read += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LINE_BYTES]
        for line in lines:
            if (found := _spoken(line)) is not None:
                on_found(found)


def _spoken(line: bytes) -> _Spoken | None:
    """Return what a line says of a port, or of those that nmap gave up."""
    if (given_up := _GAVE_UP.fullmatch(line)) is not None:
        return GaveUp(given_up[1].decode("ascii"))
    if (port := _DISCOVERED.fullmatch(line)) is not None:
        number, address = int(port[1]), port[2].decode("ascii")
        found: OpenPort | Asked | Understood = OpenPort(address, number)
    elif (asked := _ASKED.fullmatch(line)) is not None:
        number = int(asked[3])
        found = Asked(asked[2].decode("ascii"), number, asked[1].decode("ascii"))
    elif (understood := _UNDERSTOOD.match(line)) is not None:
        number = int(understood[2])
        found = Understood(understood[1].decode("ascii"), number)
    else:
        return None
    return found if 0 < number < 65536 else None


async def _end_of(stream: asyncio.StreamReader, life: _Life) -> str:
    """Read to the end, so that nmap never waits for a reader, and keep the last few kilobytes."""
    kept = b""
    while chunk := await stream.read(_COMPLAINT_BYTES):
        life.read += len(chunk)
        kept = (kept + chunk)[-_COMPLAINT_BYTES:]
    return " ".join(kept.decode("utf-8", "replace").split()) or "it gave no reason"
