"""Connections with deadlines and ceilings: an unfinished request holds little, and not for long."""

import asyncio
from typing import override

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 5.0
"""From a connection's beginning, or the end of an answer, to the end of the next request's head."""
LINGER_SECONDS = 1.0
MAX_HEAD_BYTES = 16 * 1024
MAX_CONNECTIONS = 256
MAX_CONNECTIONS_OF_ADDRESS = 64
"""So that one neighbour cannot take all of them. The approval API keeps a few."""


class _Flow(FlowControl):
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
        if reads_body or len(self._conn.trailing_data[0]) <= MAX_HEAD_BYTES:
            super().resume_reading()


class BoundedConnection(H11Protocol):
    """uvicorn's protocol, which has no deadline for a head that has begun and no ceiling on connections."""

    _head_deadline: asyncio.TimerHandle | None = None
    _lingers = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.flow = _Flow(transport, self.conn)
        host = self.client[0] if self.client else None
        of_address = sum(
            isinstance(each, H11Protocol) and each.client is not None and each.client[0] == host
            for each in self.connections
        )
        if len(self.connections) > MAX_CONNECTIONS or of_address > MAX_CONNECTIONS_OF_ADDRESS:
            self.connections.discard(self)
            transport.abort()
            return
        self._expect_head()

    @override
    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    @override
    def data_received(self, data: bytes) -> None:
        if not self._lingers:
            super().data_received(data)

    @override
    def on_response_complete(self) -> None:
        # First: an answer may make the next request begin that is in the buffer already.
        is_unread = self.conn.their_state is h11.SEND_BODY
        self._expect_head()
        super().on_response_complete()
        if is_unread and not self.transport.is_closing():
            # Answered before its body came. A connection that is closed with bytes unread is reset, and the
            # answer lost: what still comes is dropped, unparsed, for a moment.
            self._lingers = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._expect_head(LINGER_SECONDS)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
        super().connection_lost(exc)

    def _expect_head(self, seconds: float | None = None) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
        self._head_deadline = self.loop.call_later(seconds or HEAD_SECONDS, self._end_without_head)

    def _end_without_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
