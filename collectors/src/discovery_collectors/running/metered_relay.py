"""Relays TCP connections at the run's packet rate, for a library or program that keeps to none itself.

It listens on the loopback address while its context is open.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Self

from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import OutOfScopeError, ScopedAddress

_CONNECT_SECONDS = 5
_SEGMENT_BYTES = 1400
_WINDOW_BYTES = 4 * _SEGMENT_BYTES
"""What a service may send before its turn: the kernel acknowledges it, whoever reads."""
_PACKETS_OF_A_CONNECTION = 4
"""SYN and the last ACK of the handshake, FIN and the ACK of the other's; paid before it is opened."""


class MeteredRelay:
    """Leads connections on; each pays `rate` for what it sends and acknowledges."""

    failure: str | None = None
    """Why the last connection led nowhere; whoever opened it saw it close."""

    def __init__(self, rate: PacketRate, target: tuple[ScopedAddress, int] | None) -> None:
        """Every connection leads to `target`; None leaves it to `wanted`."""
        self._rate = rate
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        """Of connections that are open, or that closed since the last one came."""

    @property
    def listens_at(self) -> tuple[str, int]:
        """Return the address and port to connect to."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        for writer in self._writers:
            # Closing waits for whoever does not read.
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()

    async def wanted(self, reader: asyncio.StreamReader) -> tuple[ScopedAddress, int]:
        """Return where a new connection leads. Raises EOFError, TimeoutError, OutOfScopeError."""
        del reader
        assert self._target is not None
        return self._target

    def answer(self, writer: asyncio.StreamWriter, *, connected: bool) -> None:
        """Say to the client whether its connection leads somewhere."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(OSError, EOFError, TimeoutError, OutOfScopeError):
                await self._serve(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = await self.wanted(reader)
        await self._rate.take(_PACKETS_OF_A_CONNECTION, ahead=True)
        try:
            far_reader, far_writer = await _connected(address, port)
        except OSError as error:
            timed_out = isinstance(error, TimeoutError)
            self.failure = f"none within {_CONNECT_SECONDS} s" if timed_out else error.strerror or str(error)
            self.answer(writer, connected=False)
            return
        self.failure = None
        self._writers = [each for each in self._writers if _is_open(each)]
        self._writers += (writer, far_writer)
        try:
            self.answer(writer, connected=True)
            async with asyncio.TaskGroup() as group:
                back = group.create_task(self._pass_on(far_reader, writer))
                await self._pass_on(reader, far_writer)
                # A client closes what it has given up: nobody listens, however long the service goes on.
                back.cancel()
        except* OSError:
            pass
        finally:
            far_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_SEGMENT_BYTES):
            # What is read was or will be acknowledged, what is written is sent: a packet either way.
            await self._rate.take(1, ahead=True)
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _is_open(writer: asyncio.StreamWriter) -> bool:
    # One that is closed stays open until what was written is sent.
    return not writer.transport.is_closing() or writer.transport.get_write_buffer_size() > 0


async def _connected(address: ScopedAddress, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    near = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        near.setblocking(False)
        # Before it connects, so that the first window is small as well.
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW_BYTES)
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(near, (address, port))
            return await asyncio.open_connection(sock=near, limit=_SEGMENT_BYTES)
    except BaseException:
        near.close()
        raise
