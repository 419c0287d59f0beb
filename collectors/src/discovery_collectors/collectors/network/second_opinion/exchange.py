"""One question to one port: connect, send, read what comes back. Bounded in bytes and seconds."""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache

from discovery_collectors.collectors.network.packet_rate import PacketRate
from discovery_collectors.protocols.certificates import accepting_context
from discovery_collectors.running.scope import ScopedAddress

ANSWER_BYTES = 64 * 1024
PACKETS_PER_QUESTION = 10
"""About what one costs, with opening and closing the connection; TLS needs some more."""
_SEGMENT_BYTES = 1400
_SEGMENTS_PER_QUESTION = 2
"""Of an answer, within its packets; a larger one is paid for when it has come."""
_QUIET_SECONDS = 0.4
"""After some bytes nothing more came for so long: the answer is complete."""
_GOODBYE_SECONDS = 0.5
_ROUND_TRIPS = 20
"""Within which whoever speaks the protocol begins to answer, beside the time to think."""
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
    """Asks one port, one question at a time, until the port's time is up."""

    def __init__(
        self,
        address: ScopedAddress,
        port: int,
        answer_seconds: float,
        port_seconds: float,
        rate: PacketRate,
        service_time: AbstractContextManager[None] | None = None,
    ) -> None:
        """`service_time` is open while the service is waited for, and may be shared by several."""
        self.address = address
        self.port = port
        self.tls = False
        """Whether the next questions go through TLS."""
        self._answer_seconds = answer_seconds
        self._port_seconds = port_seconds
        self._spent = 0.0
        self._rate = rate
        self._service_time = service_time or nullcontext()
        self._segments = 0
        """Received in the conversation under way."""

    @property
    def time_is_up(self) -> bool:
        """Whether the port's time is spent."""
        return self._spent >= self._port_seconds

    async def ask(
        self, *questions: bytes, whole: Callable[[bytes], bool] | None = None, in_a_hurry: bool = False
    ) -> Answer:
        """Send `questions` in one connection, each once the one before is answered; return the last answer.

        `whole`: whether what has come is all that is needed. `in_a_hurry`: wait for the first byte no longer
        than the way to the service and a moment's thought take. Never raises for what the service does.
        """
        left = self._port_seconds - self._spent
        if left <= 0:
            return Answer(b"", Ending.NO_TIME)
        await self._rate.take(PACKETS_PER_QUESTION * (2 if self.tls else 1))
        # Waiting for the rate is not the service's time.
        began = time.monotonic()
        self._segments = 0
        try:
            with self._service_time:
                answer = await self._converse(
                    questions, whole, min(left, self._answer_seconds), in_a_hurry=in_a_hurry
                )
        finally:
            self._spent += time.monotonic() - began
        # Each was acknowledged.
        if self._segments > _SEGMENTS_PER_QUESTION:
            await self._rate.take(self._segments - _SEGMENTS_PER_QUESTION)
        return answer

    async def _converse(
        self,
        questions: tuple[bytes, ...],
        whole: Callable[[bytes], bool] | None,
        seconds: float,
        *,
        in_a_hurry: bool,
    ) -> Answer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await self._connected()
        except TimeoutError:
            return Answer(b"", Ending.NO_TLS if self.tls else Ending.UNREACHABLE)
        except ssl.SSLError:
            return Answer(b"", Ending.NO_TLS)
        except (OSError, ValueError):
            return Answer(b"", Ending.NO_TLS if self.tls else Ending.UNREACHABLE)
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
                content, ending = await _read(reader, first_byte, seconds, whole)
                answer = Answer(content, ending, certificate)
                self._segments += -(-len(content) // _SEGMENT_BYTES)
                if ending is Ending.CLOSED:
                    break
            return answer
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
