"""Containers of the fake engine: what their image makes them do, and what the engine shows of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dryrun_orchestrator.engine.protocol import (
    Container,
    ContainerDetail,
    ContainerSpec,
    ContainerStatus,
    Health,
    LogChunk,
    Traffic,
)

_LOG_LINE_OVERHEAD_BYTES = 69
"""About what json-file writes around a line; the size limit counts it."""
KILLED = 137
SOME_TRAFFIC = Traffic(rx_packets=6, rx_bytes=516, tx_packets=4, tx_bytes=340)


def stdout(*lines: str) -> tuple[LogChunk, ...]:
    r"""Return lines as a container says them on stdout, one chunk a line.

    >>> stdout("a", "b")
    (LogChunk(stream='stdout', data=b'a\n'), LogChunk(stream='stdout', data=b'b\n'))
    """
    return tuple(LogChunk("stdout", f"{line}\n".encode()) for line in lines)


@dataclass(frozen=True, slots=True)
class FakeImage:
    """What a container of this image does. All times are seconds of the event loop.

    Without `program` it says `log` (with `log_pause` before each chunk), becomes healthy `health_after` its
    start, and ends `exit_after` its last word with `exit_code`. With `program`, that coroutine is all it
    does besides becoming healthy: it gets the container and returns the exit code.
    """

    log: tuple[LogChunk, ...] = ()
    log_pause: float = 0.0
    health_after: float | None = None
    """None: the image has no health check. `math.inf`: it never gets healthy."""
    exit_after: float | None = None
    """None: it runs until it is killed or removed."""
    exit_code: int = 0
    traffic: Traffic = SOME_TRAFFIC
    program: "Callable[[FakeContainer], Awaitable[int]] | None" = None


class FakeContainer:
    """One container. Tests may look at everything, and call `say`, `become` and `end`."""

    def __init__(
        self,
        identity: str,
        spec: ContainerSpec,
        image: FakeImage,
        emit: "Callable[[FakeContainer, str], None]",
    ) -> None:
        self.id = identity
        self.spec = spec
        self.image = image
        self.status: ContainerStatus = "created"
        self.health: Health = "none"
        self.failed_check = ""
        self.exit_code: int | None = None
        self.out_of_memory = False
        self.error = ""
        self.network_id: str | None = None
        """The network it is attached to, while it runs."""
        self.input = bytearray()
        """What was written to its standard input."""
        self.input_changed = asyncio.Event()
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.program_error: Exception | None = None
        self._emit = emit
        self._life: asyncio.Task[None] | None = None
        self._log: list[tuple[datetime, LogChunk]] = []
        self._log_bytes = 0
        self._log_files = [0]
        """How many of the log's chunks are in each file."""
        self._log_dropped = 0
        self.log_changed = asyncio.Event()

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self.status == "running"

    def say(self, data: bytes, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        """Write to its log. Past its size limit a file is full; the oldest is dropped for a new one."""
        size = len(data) + _LOG_LINE_OVERHEAD_BYTES * max(1, data.count(b"\n"))
        limits = self.spec.limits
        if self._log_bytes >= limits.log_file_bytes:
            self._log_files.append(0)
            self._log_bytes = 0
            if len(self._log_files) > limits.log_files:
                oldest = self._log_files.pop(0)
                self._log_dropped += oldest
                del self._log[:oldest]
        self._log_files[-1] += 1
        self._log.append((datetime.now(UTC), LogChunk(stream, data)))
        self._log_bytes += size
        self.wake_readers()

    def become(self, health: Health, failed_check: str = "") -> None:
        """Change its health, and emit the event."""
        self.failed_check = failed_check
        if self.health != health:
            self.health = health
            self._emit(self, f"health_status: {health}")

    def take(self, data: bytes) -> None:
        """Receive input."""
        self.input.extend(data)
        self.input_changed.set()

    async def line(self) -> bytes:
        """Return the first line of its input that is not empty, once it is there."""
        while True:
            self.input_changed.clear()
            if lines := [line for line in bytes(self.input).split(b"\n")[:-1] if line]:
                return lines[0]
            await self.input_changed.wait()

    def start(self, network_id: str) -> None:
        """Begin to live."""
        self.status, self.exit_code, self.network_id = "running", None, network_id
        self.started_at, self.ended_at = datetime.now(UTC), None
        self.health = "none" if self.image.health_after is None else "starting"
        self._emit(self, "start")
        self._life = asyncio.create_task(self._live())

    def end(self, exit_code: int, *, out_of_memory: bool = False) -> None:
        """End its process now, for whatever reason; nothing happens when it does not run."""
        if not self.is_running:
            return
        if self._life is not None and self._life is not asyncio.current_task():
            self._life.cancel()
        self.status, self.exit_code, self.out_of_memory = "exited", exit_code, out_of_memory
        self.ended_at = datetime.now(UTC)
        if self.health != "none":
            self.health = "unhealthy"  # so does the engine, without an event
        if out_of_memory:
            self._emit(self, "oom")
        self.network_id = None
        self._emit(self, "die")
        self.wake_readers()

    async def settle(self) -> None:
        """Wait until nothing of it runs any more."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    def log_from(self, position: int, since: datetime | None = None) -> tuple[list[LogChunk], int]:
        """Return what its log holds from a position on, and the position after that.

        With `since` only what is not older, each line behind its time.
        """
        begin = max(position - self._log_dropped, 0)
        chunks = [
            chunk if since is None else _timed(at, chunk)
            for at, chunk in self._log[begin:]
            if since is None or at >= since
        ]
        return chunks, self._log_dropped + len(self._log)

    def wake_readers(self) -> None:
        """Let everybody look again who waits for `log_changed`."""
        self.log_changed.set()
        self.log_changed = asyncio.Event()

    def listing(self) -> Container:
        """Return what a listing shows."""
        return Container(self.id, self.spec.name, self.status, dict(self.spec.labels))

    def detail(self) -> ContainerDetail:
        """Return what an inspection shows."""
        return ContainerDetail(
            id=self.id,
            name=self.spec.name,
            status=self.status,
            health=self.health,
            exit_code=self.exit_code,
            out_of_memory=self.out_of_memory,
            error=self.error,
            address=self.spec.address,
            on_network=self.network_id is not None,
            labels=dict(self.spec.labels),
            started_at=self.started_at,
            ended_at=self.ended_at,
            takes_input=self.spec.stdin,
            failed_check=self.failed_check,
        )

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as group:
            health = group.create_task(self._get_healthy())
            exit_code = await self._run()
            health.cancel()
        self.end(exit_code)

    async def _get_healthy(self) -> None:
        if self.image.health_after is not None:
            await _sleep(self.image.health_after)
            self.become("healthy")

    async def _run(self) -> int:
        if self.image.program is not None:
            try:
                return await self.image.program(self)
            except Exception as error:  # noqa: BLE001 - kept, and raised when the test leaves the engine
                self.program_error = error
                return 1
        for chunk in self.image.log:
            await asyncio.sleep(self.image.log_pause)
            self.say(chunk.data, chunk.stream)
        await _sleep(self.image.exit_after)
        return self.image.exit_code


def _timed(at: datetime, chunk: LogChunk) -> LogChunk:
    stamp = at.isoformat(timespec="microseconds").replace("+00:00", "000Z").encode()
    lines = chunk.data.splitlines(keepends=True)
    return LogChunk(chunk.stream, b"".join(stamp + b" " + line for line in lines))


async def _sleep(seconds: float | None) -> None:
    """Sleep; for ever with None or infinity."""
    if seconds is None or seconds == float("inf"):
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)
