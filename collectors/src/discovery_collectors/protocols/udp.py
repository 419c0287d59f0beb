"""Asks a UDP port by unicast, in a protocol's own words, and knows the answer when it comes.

nmap cannot do this well: it takes an answer of TFTP, which comes from another port, for silence, and spends
many seconds on versions of what is silent.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from discovery_collectors.running.scope import ScopedAddress

SENDINGS_SECONDS = (0.0, 0.8)
"""When a question is sent; the second time only when nothing came."""
WAIT_SECONDS = 2.0

type Facts = dict[str, JsonValue]


class NoAnswerError(RuntimeError):
    """Nothing that is an answer in the protocol came."""


@dataclass(frozen=True, slots=True)
class UdpProbe:
    """A question to one port, and how its answer is read. The question changes nothing there."""

    port: int
    name: str
    """The protocol, as nmap calls it."""
    question: Callable[[int], bytes]
    """Returns the datagram; its argument is a random number of 16 bits, which a true answer repeats."""
    read: Callable[[bytes, int], Facts | None]
    """Returns what the answer reports, None when it is no answer to the number's question."""
    other_port: bool = False
    """The answer comes from a port that the server chose."""
    farewell: bytes = b""
    """Sent to whoever answered, so that it does not wait."""


async def ask(address: ScopedAddress, probe: UdpProbe) -> Facts:
    """Ask once, and a second time when nothing comes. Raises NoAnswerError."""
    loop = asyncio.get_running_loop()
    number = secrets.randbelow(2**15) + 1
    place = (address, probe.port)
    # Connected where that is possible, so that the kernel reports a closed port and drops other senders.
    ends = {"local_addr": ("0.0.0.0", 0)} if probe.other_port else {"remote_addr": place}  # noqa: S104  # an answer from any port
    try:
        transport, protocol = await loop.create_datagram_endpoint(lambda: _Answers(address), **ends)
    except OSError as error:
        raise NoAnswerError(str(error)) from error
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            return await _exchange(transport, protocol, probe, number, place)
    except TimeoutError:
        raise NoAnswerError(f"no answer within {WAIT_SECONDS} s") from None
    except OSError as error:
        raise NoAnswerError(str(error)) from error
    finally:
        transport.close()


async def _exchange(
    transport: asyncio.DatagramTransport,
    protocol: "_Answers",
    probe: UdpProbe,
    number: int,
    place: tuple[str, int],
) -> Facts:
    target = place if probe.other_port else None
    loop = asyncio.get_running_loop()
    question = probe.question(number)
    resend = [loop.call_later(delay, transport.sendto, question, target) for delay in SENDINGS_SECONDS]
    try:
        while True:
            answer, sender = await protocol.next()
            facts = probe.read(answer, number)
            if facts is not None:
                if probe.farewell and answer[:2] != b"\x00\x05":
                    transport.sendto(probe.farewell, sender if probe.other_port else None)
                return facts
    finally:
        for each in resend:
            each.cancel()


class _Answers(asyncio.DatagramProtocol):
    """Keeps a few datagrams of one sender; more are dropped."""

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._received: asyncio.Queue[tuple[bytes, tuple[str, int]] | Exception] = asyncio.Queue(8)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[0] == self._sender and not self._received.full():
            self._received.put_nowait((data, addr))

    def error_received(self, exc: Exception) -> None:
        if not self._received.full():
            self._received.put_nowait(exc)

    async def next(self) -> tuple[bytes, tuple[str, int]]:
        received = await self._received.get()
        if isinstance(received, Exception):
            raise received
        return received
