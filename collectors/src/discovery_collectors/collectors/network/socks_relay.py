"""Relays nmap's version questions at the run's packet rate: its own --max-rate does not bind them.

A SOCKS 4 server, for the time of one nmap. It connects to nothing outside the scope.
"""

import asyncio
import socket
import struct

from discovery_collectors.running.metered_relay import MeteredRelay
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope, ScopedAddress

_HEAD = struct.Struct("!BBH4s")
_VERSION, _CONNECT = 4, 1
_GRANTED, _REFUSED = b"\x00\x5a" + bytes(6), b"\x00\x5b" + bytes(6)
_USER_BYTES = 64
_REQUEST_SECONDS = 5


class SocksRelay(MeteredRelay):
    """A relay whose clients say, by SOCKS 4, where each connection leads."""

    def __init__(self, rate: PacketRate, scope: Scope) -> None:
        super().__init__(rate, None)
        self._scope = scope

    @property
    def url(self) -> str:
        """Return what nmap's --proxies takes."""
        host, port = self.listens_at
        return f"socks4://{host}:{port}"

    async def wanted(self, reader: asyncio.StreamReader) -> tuple[ScopedAddress, int]:
        """Read a request. Raises EOFError also for what is none."""
        async with asyncio.timeout(_REQUEST_SECONDS):
            version, command, port, packed = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            for _ in range(_USER_BYTES):
                if await reader.readexactly(1) == b"\0":
                    break
            else:
                raise EOFError
        if (version, command) != (_VERSION, _CONNECT):
            raise EOFError
        return self._scope.admit(socket.inet_ntoa(packed)), port

    def answer(self, writer: asyncio.StreamWriter, *, connected: bool) -> None:
        """Grant or refuse the request."""
        writer.write(_GRANTED if connected else _REFUSED)
