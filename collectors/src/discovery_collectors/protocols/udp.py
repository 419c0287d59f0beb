"""Asks four UDP ports of a host by unicast: DNS, TFTP, NTP, SNMP. Each question changes nothing there.

nmap cannot do this well: it takes an answer of TFTP, which comes from another port, for silence, and spends
many seconds on versions of what is silent.
"""

import asyncio
import re
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from discovery_collectors.collectors.snmp.messages import discovery_message, enterprise_of, read_engine_id
from discovery_collectors.protocols.ber import BerError
from discovery_collectors.running.scope import ScopedAddress

SENDINGS_SECONDS = (0.0, 0.8)
"""When a question is sent; the second time only when nothing came."""
WAIT_SECONDS = 2.0
_CPES = {"ISC BIND": "cpe:/a:isc:bind", "dnsmasq": "cpe:/a:thekelleys:dnsmasq"}
_TEXT_CHARACTERS = 300

type Facts = dict[str, JsonValue]


class NoAnswerError(RuntimeError):
    """Nothing that is an answer in the protocol came."""


@dataclass(frozen=True, slots=True)
class UdpProbe:
    """A question to one port, and how its answer is read."""

    port: int
    name: str
    """nmap's word for the protocol."""
    question: Callable[[int], bytes]
    """Given a random number of 16 bits, by which the answer is known to be one."""
    read: Callable[[bytes, int], Facts | None]
    """Return what the answer tells, None when it is no answer."""
    other_port: bool = False
    """The answer comes from a port that the server chose."""
    farewell: bytes = b""
    """Sent to whoever answered, so that it does not wait."""


def _ask_bind_version(number: int) -> bytes:
    # One question, class CHAOS, no recursion: the server answers from itself and asks nobody.
    name = b"\x07version\x04bind\x00"
    return struct.pack("!6H", number, 0, 1, 0, 0, 0) + name + struct.pack("!2H", 16, 3)


def _read_dns(answer: bytes, number: int) -> Facts | None:
    if len(answer) < 12:
        return None
    told, flags, questions, answers = struct.unpack("!4H", answer[:8])
    if told != number or not flags & 0x8000:
        return None
    # The answer repeats the one question, 18 bytes; then a name (mostly a pointer), 10 bytes, and the text.
    text = _first_text(answer[12 + 18 :]) if (questions, answers) == (1, 1) else ""
    return name_dns_server(text)


def _first_text(record: bytes) -> str:
    name = 2 if record[:1] >= b"\xc0" else record.find(b"\0") + 1
    rest = record[name:]
    if len(rest) < 11 or struct.unpack("!2H", rest[:4]) != (16, 3):
        return ""
    return rest[11 : 11 + rest[10]].decode("utf-8", "replace")


_DNS_SERVERS = (
    ("dnsmasq", re.compile(r"dnsmasq-(?P<version>[\w.]+)")),
    ("Unbound", re.compile(r"unbound (?P<version>[\w.]+)")),
    ("NSD", re.compile(r"NSD (?P<version>[\w.]+)")),
    ("Knot DNS", re.compile(r"Knot DNS (?P<version>[\w.]+)")),
    ("PowerDNS", re.compile(r"PowerDNS .*?(?P<version>\d+\.\d[\w.]*)")),
    # As nmap tells it over TCP: with the distribution's number, without its name.
    (
        "ISC BIND",
        re.compile(r"(?:BIND )?(?P<version>9\.\d+\.\d+[\w.~+-]*?)(?:-(?:Debian|Ubuntu|RedHat.*))?$"),
    ),
)


def name_dns_server(text: str) -> Facts:
    """Return product and version from the answer to `version.bind`; operators may set it to anything."""
    text = text[:_TEXT_CHARACTERS]
    for product, pattern in _DNS_SERVERS:
        found = pattern.match(text)
        if found is not None:
            facts: Facts = {"product": product, "version": found["version"], "extra": text}
            if product in _CPES:
                facts["cpe"] = [f"{_CPES[product]}:{found['version'].partition('-')[0]}"]
            return facts
    return {"extra": text} if text else {}


def _ask_time(number: int) -> bytes:
    # RFC 5905: version 4, mode 3 (client); the server repeats the transmit timestamp as origin.
    return bytes([0x23]) + bytes(39) + struct.pack("!HHI", number, number, number)


def _read_time(answer: bytes, number: int) -> Facts | None:
    if (
        len(answer) < 48
        or answer[0] & 0x07 != 4
        or answer[24:32] != struct.pack("!HHI", number, number, number)
    ):
        return None
    return {"product": "NTP", "stratum": answer[1]}


def _ask_file(number: int) -> bytes:
    # RFC 1350, RRQ: of a file that no server has.
    return b"\x00\x01" + f"discovery-{number:04x}-{secrets.token_hex(8)}".encode("ascii") + b"\0octet\0"


def _read_tftp(answer: bytes, _: int) -> Facts | None:
    return {} if answer[:2] in {b"\x00\x03", b"\x00\x05", b"\x00\x06"} else None


def _read_snmp(answer: bytes, _: int) -> Facts | None:
    try:
        enterprise = enterprise_of(read_engine_id(answer))
    except BerError:
        return None
    if enterprise == 8072:
        return {"product": "net-snmp", "enterprise": enterprise, "cpe": ["cpe:/a:net-snmp:net-snmp"]}
    return {} if enterprise is None else {"enterprise": enterprise}


UDP_PROBES = (
    UdpProbe(53, "domain", _ask_bind_version, _read_dns),
    UdpProbe(69, "tftp", _ask_file, _read_tftp, other_port=True, farewell=b"\x00\x05\x00\x00end\0"),
    UdpProbe(123, "ntp", _ask_time, _read_time),
    UdpProbe(161, "snmp", discovery_message, _read_snmp),
)
"""The ports that are asked; a new one is a new row."""


async def ask(address: ScopedAddress, probe: UdpProbe) -> Facts:
    """Ask once, and a second time when nothing comes. Raises NoAnswerError."""
    loop = asyncio.get_running_loop()
    number = secrets.randbelow(2**15) + 1
    place = (address, probe.port)
    # Connected where that is possible, so that the kernel tells of a closed port and drops other senders.
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
