"""How much of a connection is read ahead of what is served."""

import asyncio
from typing import cast, override

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

READ_BYTES = 16 * 1024
"""Most that one connection is read in one turn of the event loop. With h11's own limit on what is incomplete
(also 16 KiB) a head has 32 KiB at most."""


class ReadAhead(FlowControl):
    """Reads on only when few requests wait in the buffer already.

    uvicorn reads on at each answer, and whenever the application asks for a body: of pipelined requests much
    more would arrive than is served.
    """

    def __init__(self, transport: asyncio.Transport, conn: h11.Connection) -> None:
        super().__init__(transport)
        self._conn = conn

    @override
    def resume_reading(self) -> None:
        reads_body = self._conn.their_state is h11.SEND_BODY
        if reads_body or len(self._conn.trailing_data[0]) <= READ_BYTES:
            super().resume_reading()


class SmallReads(asyncio.BufferedProtocol):
    """Reads a connection by `READ_BYTES`: an `asyncio.Protocol` is handed up to 256 KiB at once.

    It stands before the connection instead of being its base, because uvloop takes whatever is an
    `asyncio.Protocol` for one.
    """

    def __init__(self, connection: H11Protocol, buffer: memoryview) -> None:
        self._connection = connection
        self._buffer = buffer

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection.connection_made(cast("asyncio.Transport", transport))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    @override
    def eof_received(self) -> None:
        self._connection.eof_received()

    @override
    def pause_writing(self) -> None:
        self._connection.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._connection.resume_writing()

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self._connection.data_received(bytes(self._buffer[:nbytes]))
