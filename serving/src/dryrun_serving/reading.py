"""How much of a connection is read ahead of what is served."""

import asyncio
from typing import override

import h11
from uvicorn.protocols.http.flow_control import FlowControl

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
