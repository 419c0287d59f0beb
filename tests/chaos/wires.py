"""Wires between the services that can be cut, frozen, delayed and throttled, as networks do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

PIECE_BYTES = 65_536
THROTTLED_BYTES = 2_048

type Place = Path | tuple[str, int]


class Wire:
    """Forwards connections to `target`; `own` is where it listens. Unharmed by default."""

    def __init__(self, name: str, own: Place, target: Place) -> None:
        self.name = name
        self._own = own
        self._target = target
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.delay_seconds = 0.0
        self.bytes_per_second: int | None = None
        self.broken = False
        self.answer: Callable[[bytes], bytes | None] | None = None
        """Given the head of a request (HTTP); what it returns is answered in the other side's place."""

    def freeze(self) -> None:
        """Nothing passes and nothing is closed, as on a network that drops packets."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let pass what waited."""
        self._flows.set()

    def cut(self) -> None:
        """Break every connection, now; new ones are taken unless `broken`."""
        for task in self._serving:
            task.cancel()

    async def open(self) -> None:
        """Listen."""
        if isinstance(self._own, Path):
            self._own.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._connected, self._own)
        else:
            self._server = await asyncio.start_server(self._connected, *self._own)

    async def close(self) -> None:
        """Break everything and listen no more."""
        self.thaw()
        if self._server is not None:
            self._server.close()
            self.cut()
            self._server.abort_clients()
            await asyncio.gather(*self._serving, return_exceptions=True)
            async with asyncio.timeout(10):
                await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            if not self.broken:
                await self._forward(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            # A cut is no end of this program; its transport is aborted, so that the other side sees a reset.
            writer.transport.abort()
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b""
        if self.answer is not None:
            head = await reader.readuntil(b"\r\n\r\n")
            if (instead := self.answer(head)) is not None:
                writer.write(instead)
                await writer.drain()
                return
        if isinstance(self._target, Path):
            from_target, to_target = await asyncio.open_unix_connection(self._target)
        else:
            from_target, to_target = await asyncio.open_connection(*self._target)
        try:
            to_target.write(head)
            async with asyncio.TaskGroup() as both:
                back = both.create_task(self._pump(from_target, writer))
                both.create_task(self._pump(reader, to_target))
                # Either side's end is the end of both: nobody here half-closes for long.
                back.add_done_callback(lambda _: to_target.close())
        except* (OSError, EOFError):
            pass
        finally:
            with contextlib.suppress(OSError):
                to_target.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = PIECE_BYTES if self.bytes_per_second is None else THROTTLED_BYTES
                said = await reader.read(size)
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if (rate := self.bytes_per_second) is not None:
                    await asyncio.sleep(len(said) / rate)
                await self._flows.wait()
                if not said:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                writer.write(said)
                await writer.drain()
        except (ConnectionError, RuntimeError):
            # A transport that is closing takes no more.
            writer.close()


@asynccontextmanager
async def opened(*wires: Wire) -> AsyncIterator[None]:
    """Keep the wires open for the time of the block."""
    try:
        for wire in wires:
            await wire.open()
        yield
    finally:
        for wire in wires:
            await wire.close()
