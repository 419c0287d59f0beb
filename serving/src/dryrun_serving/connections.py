"""Connections: how many there may be, how long each may take, and how they end.

uvicorn bounds none of that. Its protocol is kept, and surrounded: reads are small, so that a head and what
waits behind it are small too; a body is left in the kernel until the application asks for it; whatever is not
done in time is closed, and each close has an end.
"""

import asyncio
import time
from typing import Any, cast, override

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dryrun_serving import raw_answers
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.networks import Proxies, network_of
from dryrun_serving.reading import READ_BYTES, ReadAhead, SmallReads

MAX_LINES = 512
"""Most lines in one read of heads or chunks."""
DISCARDED_BYTES = 64 * 1024
"""A body that nobody wanted is read to its end up to here, so that the connection can be used again."""
LINGER_SECONDS = 2.0
"""How long what still arrives is thrown away after an answer that came before the end of the body. Closing at
once would reset the connection, and the client would lose the answer (RFC 9112, section 9.6)."""
WRITE_SECONDS = 30.0
WRITE_BYTES_PER_SECOND = 16 * 1024
"""A reader that is slower than this, after `WRITE_SECONDS`, is disconnected."""
UNSENT_BYTES = 64 * 1024 * 1024
"""All answers that wait for their readers; beyond it, the readers with most of it are disconnected."""


class _Closing:
    """A transport whose `close` is the connection's own; everything else passes through."""

    def __init__(self, transport: asyncio.Transport, connection: "BoundedConnection") -> None:
        self._transport = transport
        self.connection: BoundedConnection | None = connection
        """None once it is lost: the two would keep each other in memory."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.end()

    def is_closing(self) -> bool:
        return self.connection is None or self.connection.ends


class BoundedConnection(H11Protocol):
    """One connection. It waits for a head, serves a request, waits for the next head, and ends."""

    def __init__(self, connections: "Connections", **more: Any) -> None:
        """Count among `connections`; `more` is for uvicorn."""
        super().__init__(**more)
        self._all = connections
        self._plain: asyncio.Transport | None = None
        self._closing: _Closing | None = None
        self.ends = False
        """Nothing is read or written any more but what is on its way."""
        self.end_by: float | None = None
        """When to abort, in seconds of the monotonic clock; None while a request is served."""
        self._drained_by: float | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._plain = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        refused = self._all.add(self, str(peer[0]) if peer else "")
        if refused is not None:
            self.ends = True
            self._plain.write(refused)
            self._plain.close()
            return
        self._closing = _Closing(self._plain, self)
        super().connection_made(cast("asyncio.Transport", self._closing))
        self.flow = ReadAhead(cast("asyncio.Transport", self._closing), self.conn)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
        self.ends = True
        if self._closing is not None:
            super().connection_lost(exc)
            self._closing.connection = None

    @override
    def data_received(self, data: bytes) -> None:
        if self.ends:
            return
        if self._is_all_lines(data):
            self.send_400_response("")
            return
        super().data_received(data)

    def _is_all_lines(self, data: bytes) -> bool:
        """Return whether what was read is thousands of headers or chunks, each of a few bytes.

        h11 takes some 20 microseconds for each, before anybody could judge the request.
        """
        if data.count(b"\n") <= MAX_LINES:
            return False
        if self.conn.their_state is h11.SEND_BODY:
            return any(name == b"transfer-encoding" for name, _ in self.headers)
        head, _, _ = data.partition(b"\r\n\r\n")
        return head.count(b"\n") > MAX_LINES or b"transfer-encoding" in head.lower()

    @override
    def handle_events(self) -> None:
        served = self.cycle
        super().handle_events()
        if self.cycle is not served and not self.ends:
            self._all.serves(self)
            if self.conn.their_state is h11.SEND_BODY:
                # uvicorn reads on when the application asks for the body.
                self.flow.pause_reading()

    @override
    def on_response_complete(self) -> None:
        if not self.ends:
            self._all.waits(self)
            if self.conn.their_state is h11.SEND_BODY and not self._rest_is_small():
                self.end()
        super().on_response_complete()

    def _rest_is_small(self) -> bool:
        announced = dict(self.headers).get(b"content-length")
        return announced is not None and int(announced) <= DISCARDED_BYTES

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP; an answer already under way just ends."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE} and self._plain is not None:
            too_large = self.conn.our_state is h11.IDLE and len(self.conn.trailing_data[0]) > READ_BYTES
            self._plain.write(raw_answers.TOO_LARGE if too_large else raw_answers.NOT_HTTP)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.end()

    @override
    def _should_upgrade(self) -> bool:
        return False

    def end(self) -> None:
        """Close once everything is written; for a moment, discard what the client still sends."""
        if self.ends or self._plain is None:
            return
        self.ends = True
        self._all.closes(self)
        if self._plain.is_closing():
            return
        if self.conn.their_state in {h11.SEND_BODY, h11.ERROR} and self._plain.can_write_eof():
            self._plain.write_eof()
            self._plain.resume_reading()
        else:
            self._plain.close()

    def unsent(self) -> int:
        """Return how many bytes wait for the client to read them."""
        return 0 if self._plain is None else self._plain.get_write_buffer_size()

    def abort(self) -> None:
        """End at once, without the client."""
        if self._plain is not None:
            self._plain.abort()

    def abort_when_late(self, now: float) -> None:
        """Abort when the connection has used up the time for what it is doing."""
        unsent = self.unsent()
        if not unsent:
            self._drained_by = None
        elif self._drained_by is None:
            self._drained_by = now + WRITE_SECONDS + unsent / WRITE_BYTES_PER_SECOND
        late = self._drained_by if self._drained_by is not None else self.end_by
        if late is not None and now > late:
            self.abort()

    @override
    def resume_writing(self) -> None:
        self._drained_by = None
        super().resume_writing()


class Connections:
    """All connections of a process; `sweep` is called every second."""

    def __init__(self, ceiling: Ceiling, head_seconds: float, proxies: Proxies) -> None:
        """Let `ceiling` say how many there may be; of `proxies` only how many in all."""
        self.most = ceiling.in_all
        self._ceiling = ceiling
        self._head_seconds = head_seconds
        self._proxies = proxies
        self._connections: dict[BoundedConnection, str] = {}
        """Every connection, and the network that it counts for."""
        self._waiting: dict[BoundedConnection, None] = {}
        """Connections that wait for a head, in the order in which they began to."""
        self._buffer = memoryview(bytearray(READ_BYTES))
        """Every read goes through this buffer, one connection after the other."""

    def protocol(self, **more: Any) -> asyncio.BufferedProtocol:
        """Return the protocol of a new connection, as uvicorn asks for it."""
        return SmallReads(BoundedConnection(self, **more), self._buffer)

    def add(self, connection: BoundedConnection, peer: str) -> bytes | None:
        """Count a connection; return the answer that refuses it, None when it may stay.

        When there are too many in all, the one that has waited longest for a head makes room: who opens
        connections to hold them loses them first.
        """
        network = network_of(peer)
        full = self._ceiling.full(network)
        if full == "of one" and not self._proxies.has(peer):
            return raw_answers.TOO_MANY_OF_ONE
        if self._ceiling.total >= self._ceiling.in_all:
            if not self._waiting:
                return raw_answers.TOO_MANY
            next(iter(self._waiting)).end()
        self._connections[connection] = network
        self._ceiling.take(network)
        self.waits(connection)
        return None

    def remove(self, connection: BoundedConnection) -> None:
        """Uncount a connection that is gone."""
        self._waiting.pop(connection, None)
        network = self._connections.pop(connection, None)
        if network is not None:
            self._ceiling.give_back(network)

    def waits(self, connection: BoundedConnection) -> None:
        """Start the time within which the next head has to arrive."""
        connection.end_by = time.monotonic() + self._head_seconds
        self._waiting[connection] = None

    def serves(self, connection: BoundedConnection) -> None:
        """The head is complete: the application bounds the body's time, and its own."""
        connection.end_by = None
        self._waiting.pop(connection, None)

    def closes(self, connection: BoundedConnection) -> None:
        """Start the time within which the connection has to close."""
        connection.end_by = time.monotonic() + LINGER_SECONDS
        self._waiting.pop(connection, None)

    def sweep(self) -> None:
        """Abort what is late, and the readers for whom more waits than there is room for."""
        now = time.monotonic()
        for connection in tuple(self._connections):
            connection.abort_when_late(now)
        unsent = {each: size for each in self._connections if (size := each.unsent())}
        excess = sum(unsent.values()) - UNSENT_BYTES
        for connection in sorted(unsent, key=unsent.__getitem__, reverse=True):
            if excess <= 0:
                return
            excess -= unsent[connection]
            connection.abort()
