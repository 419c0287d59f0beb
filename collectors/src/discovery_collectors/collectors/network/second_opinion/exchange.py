"""One question to one port: connect, send, read what comes back. Bounded in bytes and seconds."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache

from discovery_collectors.protocols.tls_contexts import accepting_context
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import ScopedAddress

ANSWER_BYTES = 64 * 1024
PACKETS_PER_QUESTION = 10
"""Approximate cost of a question, with opening and closing the connection; through TLS it is twice that."""
_SEGMENT_BYTES = 1400
_SEGMENTS_PER_QUESTION = 2
"""Segments of an answer that this cost covers; further ones are charged when they have come."""
_QUIET_SECONDS = 0.4
"""An answer is complete when nothing follows its last byte for this long."""
_GOODBYE_SECONDS = 0.5
_AT_ONCE = 3
"""Questions under way to one port: one after another, a silent service would use up the port's time."""
_ROUND_TRIPS = 20
"""A service that speaks the protocol begins to answer within so many, and the time to compute its answer."""
_tls = cache(accepting_context)


class Ending(Enum):
    """Why an answer is not longer."""

    CLOSED = "the service closed the connection"
    QUIET = "nothing more came"
    WHOLE = "the answer is complete, or as long as is read"
    UNREACHABLE = "there is no connection"
    NO_TLS = "there is no TLS handshake"
    NO_TIME = "the port's time is up"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, all of it chosen by the service."""

    content: bytes
    ending: Ending
    certificate: bytes | None = None
    """In DER, of a service that speaks TLS."""


class Questioner:
    """Asks one port until the port's time is up; time counts once, however many questions are under way."""

    def __init__(
        self,
        address: ScopedAddress,
        port: int,
        answer_seconds: float,
        port_seconds: float,
        rate: PacketRate,
        service_time: AbstractContextManager[None] | None = None,
    ) -> None:
        """`service_time` is entered while an answer is awaited; several questioners may share it."""
        self.address = address
        self.port = port
        self.tls = False
        """Whether the next questions go through TLS."""
        self._answer_seconds = answer_seconds
        self._port_seconds = port_seconds
        self._spent = 0.0
        self._under_way = 0
        self._since = 0.0
        self._rate = rate
        self._service_time = service_time or nullcontext()

    @property
    def at_once(self) -> int:
        """How many questions may be under way: with a packet rate, one."""
        return _AT_ONCE if self._rate.per_second is None else 1

    @property
    def time_is_up(self) -> bool:
        """Whether the port's time is spent."""
        return self._left() <= 0

    def _left(self) -> float:
        under_way = time.monotonic() - self._since if self._under_way else 0.0
        return self._port_seconds - self._spent - under_way

    async def ask(
        self,
        *questions: bytes,
        whole: Callable[[bytes], bool] | None = None,
        in_a_hurry: bool = False,
        then_end: bool = False,
    ) -> Answer:
        """Send `questions` in one connection, each once the one before is answered; return the last answer.

        `whole`: whether what has come is all that is needed. `in_a_hurry`: wait for the first byte only
        as long as some round trips and a moment of computing take. `then_end`: close the sending side after
        each question, where that is possible (not in TLS). Never raises for what the service does.
        """
        if self.time_is_up:
            return Answer(b"", Ending.NO_TIME)
        await self._rate.take(PACKETS_PER_QUESTION * (2 if self.tls else 1))
        # Waiting for the rate is not the service's time.
        with self._service_time, self._time_spent():
            seconds = min(max(self._left(), 0.0), self._answer_seconds)
            answer, segments = await self._converse(
                questions, whole, seconds, in_a_hurry=in_a_hurry, then_end=then_end
            )
        # Each segment is acknowledged, by a packet of its own.
        if segments > _SEGMENTS_PER_QUESTION:
            await self._rate.take(segments - _SEGMENTS_PER_QUESTION)
        return answer

    @contextmanager
    def _time_spent(self) -> Iterator[None]:
        if not self._under_way:
            self._since = time.monotonic()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._spent += time.monotonic() - self._since

    async def _converse(
        self,
        questions: tuple[bytes, ...],
        whole: Callable[[bytes], bool] | None,
        seconds: float,
        *,
        in_a_hurry: bool,
        then_end: bool,
    ) -> tuple[Answer, int]:
        """Return the last answer, and the segments that came."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await self._connected()
        except ssl.SSLError:
            return Answer(b"", Ending.NO_TLS), 0
        except (TimeoutError, OSError, ValueError):
            return Answer(b"", Ending.NO_TLS if self.tls else Ending.UNREACHABLE), 0
        segments = 0
        try:
            connection: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
            certificate = None if connection is None else connection.getpeercert(binary_form=True)
            answer = Answer(b"", Ending.QUIET, certificate)
            first_byte = seconds
            if in_a_hurry:
                first_byte = min(seconds, seconds / 4 + _ROUND_TRIPS * (time.monotonic() - began))
            for question in questions:
                with suppress(OSError):
                    writer.write(question)
                    if then_end and writer.can_write_eof():
                        writer.write_eof()
                content, ending = await _read(reader, first_byte, seconds, whole)
                answer = Answer(content, ending, certificate)
                segments += -(-len(content) // _SEGMENT_BYTES)
                if ending is Ending.CLOSED:
                    break
            return answer, segments
        finally:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self.tls:
            return await asyncio.open_connection(self.address, self.port, limit=ANSWER_BYTES)
        return await asyncio.open_connection(
            self.address,
            self.port,
            limit=ANSWER_BYTES,
            ssl=_tls(),
            server_hostname="",
            ssl_shutdown_timeout=_GOODBYE_SECONDS,
        )


async def _read(
    reader: asyncio.StreamReader,
    first_byte: float,
    seconds: float,
    whole: Callable[[bytes], bool] | None,
) -> tuple[bytes, Ending]:
    """Read until the answer is whole, the service closes, or nothing comes for a while."""
    content = bytearray()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    try:
        async with asyncio.timeout_at(loop.time() + first_byte) as waiting:
            while len(content) < ANSWER_BYTES:
                chunk = await reader.read(ANSWER_BYTES - len(content))
                if not chunk:
                    return bytes(content), Ending.CLOSED
                content += chunk
                if whole is not None and whole(bytes(content)):
                    return bytes(content), Ending.WHOLE
                waiting.reschedule(min(end, loop.time() + _QUIET_SECONDS))
    except TimeoutError:
        return bytes(content), Ending.QUIET
    except OSError:
        return bytes(content), Ending.CLOSED
    return bytes(content), Ending.WHOLE
