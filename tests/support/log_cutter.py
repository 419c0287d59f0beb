"""Stands before the engine: cuts log connections in their middle, and keeps what containers get as input."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dryrun_local.machine.engine_view import DEFAULT_HOST

PIECE_BYTES = 4096


class LogCutter:
    """Forwards bytes both ways, and knows only the first line of what a connection asks for.

    The orchestrator opens a connection per call, so a connection is one call.
    """

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self.docker_host = ""
        self.limits: list[int] = []
        """After so many bytes of its answer the next log connection that has them is cut."""
        self.cuts = 0
        self.inputs: dict[str, bytearray] = {}
        """Path of a call to attach → what was sent there, the head of the call included."""
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.docker_host = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            server.abort_clients()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        from_engine, to_engine = await asyncio.open_unix_connection(self._socket_path)
        asking: asyncio.Task[None] | None = None
        try:
            asked = await reader.readuntil(b"\r\n")
            to_engine.write(asked)
            path = asked.split()[1].partition(b"?")[0].decode()
            kept = self.inputs.setdefault(path, bytearray()) if path.endswith("/attach") else None
            asking = asyncio.create_task(_forward(reader, to_engine, kept))
            is_log = path.endswith("/logs")
            passed_on = 0
            # Whichever log gets there first is cut: none that is too short keeps a cut from the others.
            while said := await from_engine.read(self._room(passed_on) if is_log else PIECE_BYTES):
                writer.write(said)
                await writer.drain()
                passed_on += len(said)
                if is_log and self.limits and passed_on >= self.limits[0]:
                    del self.limits[0]
                    self.cuts += 1
                    break
        except (OSError, EOFError):
            pass
        finally:
            if asking is not None:
                asking.cancel()
            for each in (writer, to_engine):
                with contextlib.suppress(OSError):
                    each.close()

    def _room(self, passed_on: int) -> int:
        """Return how much to read at most, so that a cut comes at its byte."""
        left = self.limits[0] - passed_on if self.limits else PIECE_BYTES
        return min(max(left, 1), PIECE_BYTES)


async def _forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None
) -> None:
    with contextlib.suppress(OSError):
        while said := await reader.read(PIECE_BYTES):
            if kept is not None:
                kept.extend(said)
            writer.write(said)
            await writer.drain()
        # Who asked has hung up: so do we, and the engine ends what it follows.
        writer.close()


@asynccontextmanager
async def open_log_cutter() -> AsyncIterator[LogCutter]:
    """Listen on loopback during the block; `docker_host` is the address for the orchestrator."""
    scheme, _, path = os.environ.get("DOCKER_HOST", DEFAULT_HOST).partition("://")
    assert scheme == "unix", "the cutter puts itself before an engine's Unix socket"
    cutter = LogCutter(path)
    async with cutter.listening():
        yield cutter
