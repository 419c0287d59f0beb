"""Lets a library that connects by itself reach one listed host: it is given a socket of this process alone.

What it sends there goes to a judged address, as bytes: TLS is between the library and the host. The library
resolves nothing, knows no proxy, and can reach nothing else.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpcore2

from approval_api.egress.connection import JudgedConnections
from approval_api.egress.hosts import NotAllowedError, Place

_PIECE = 64 * 1024
_IDLE_SECONDS = 90.0
"""Longer than anything that is done for one item."""
_MOST_CONNECTIONS = 8


class Relay:
    """A socket that leads to one place; use it as a context."""

    def __init__(self, place: Place, connections: JudgedConnections) -> None:
        """Lead to `place` by `connections`."""
        self._place = place
        self._connections = connections
        self._exits = AsyncExitStack()
        self._open: set[asyncio.Task[None]] = set()
        self.refused: NotAllowedError | None = None
        """Why the last connection was not made, if a rule forbade it."""
        self.path = Path()
        """The socket, in a folder of this user alone."""

    async def __aenter__(self) -> Self:
        folder = self._exits.enter_context(tempfile.TemporaryDirectory(prefix="dryrun-"))
        self.path = Path(folder) / "relay"
        server = await asyncio.start_unix_server(self._serve, self.path)
        self._exits.callback(server.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._exits.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= _MOST_CONNECTIONS:
                await self._lead(reader, writer)
        except NotAllowedError as error:
            self.refused = error
        except (httpcore2.NetworkError, httpcore2.TimeoutException, OSError):
            pass  # the library sees its connection end, and says so
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Of this connection, whatever becomes of it: a name that is not resolved now may be allowed later.
        self.refused = None
        stream = await self._connections.connect_tcp(self._place.host, self._place.port)
        there = asyncio.create_task(_forward(reader, stream))
        back = asyncio.create_task(_return(stream, writer))
        try:
            # Either side's end ends both: what speaks here needs no half of a connection.
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            await stream.aclose()


async def _forward(reader: asyncio.StreamReader, stream: httpcore2.AsyncNetworkStream) -> None:
    while piece := await reader.read(_PIECE):
        await stream.write(piece, timeout=_IDLE_SECONDS)


async def _return(stream: httpcore2.AsyncNetworkStream, writer: asyncio.StreamWriter) -> None:
    while piece := await stream.read(_PIECE, timeout=_IDLE_SECONDS):
        writer.write(piece)
        await writer.drain()
