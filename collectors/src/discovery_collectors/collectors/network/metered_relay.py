"""Relays nmap's version questions at the run's packet rate: its own --max-rate does not bind them.

A SOCKS 4 server on the loopback address, for the time of one nmap. It connects to nothing outside the scope.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Self

from discovery_collectors.collectors.network.packet_rate import PacketRate
from discovery_collectors.running.scope import OutOfScopeError, Scope, ScopedAddress

_HEAD = struct.Struct("!BBH4s")
_VERSION, _CONNECT = 4, 1
_GRANTED, _REFUSED = b"\x00\x5a" + bytes(6), b"\x00\x5b" + bytes(6)
_USER_BYTES = 64
_REQUEST_SECONDS = 5
_CONNECT_SECONDS = 5
_SEGMENT_BYTES = 1400
_PACKETS_TO_OPEN = 2
"""SYN and the last ACK of the handshake."""
_PACKETS_TO_CLOSE = 2


class MeteredRelay:
    """Listens while the context is open; each connection pays `rate` for what it sends and acknowledges."""

    def __init__(self, scope: Scope, rate: PacketRate) -> None:
        self._scope = scope
        self._rate = rate
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Return what nmap's --proxies takes."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"socks4://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

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
        async with asyncio.timeout(_REQUEST_SECONDS):
            version, command, port, packed = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            for _ in range(_USER_BYTES):
                if await reader.readexactly(1) == b"\0":
                    break
            else:
                return
        if (version, command) != (_VERSION, _CONNECT):
            return
        address = self._scope.admit(socket.inet_ntoa(packed))
        await self._rate.take(_PACKETS_TO_OPEN, ahead=True)
        try:
            far_reader, far_writer = await _connected(address, port)
        except (OSError, TimeoutError):
            writer.write(_REFUSED)
            return
        try:
            writer.write(_GRANTED)
            async with asyncio.TaskGroup() as group:
                back = group.create_task(self._pass_on(far_reader, writer))
                await self._pass_on(reader, far_writer)
                # nmap closes what it has given up: nobody listens, however long the service goes on.
                back.cancel()
            await self._rate.take(_PACKETS_TO_CLOSE, ahead=True)
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


async def _connected(address: ScopedAddress, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_CONNECT_SECONDS):
        return await asyncio.open_connection(address, port, limit=_SEGMENT_BYTES)
