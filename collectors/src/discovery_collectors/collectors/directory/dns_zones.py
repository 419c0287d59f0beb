"""Finds which of some names are zones of a DNS server and requests a copy of each; only counts are kept."""

import asyncio
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from discovery_collectors.running.scope import ScopedAddress

ANSWER_SECONDS = 3
TRANSFER_SECONDS = 20
_TRANSFER_BYTES = 8 * 1024 * 1024
_TRANSFER_RECORDS = 100_000
MAX_NAMES_ASKED = 300
"""Names that one server is asked for whether they are zones, a datagram each."""
_CHILDREN = MAX_NAMES_ASKED
"""Kept of what a zone delegates."""

type Name = dns.name.Name


class DnsError(RuntimeError):
    """There is no answer, or it is a refusal; the text says which."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A copy of a zone, by what is kept of it."""

    records: int
    """SOA once, as in the zone's file."""
    children: tuple[Name, ...]
    """Zones that it delegates."""
    more_children: bool = False
    """It delegates others as well, which are not kept."""
    cut_off: str = ""
    """Why it was not read to its end; empty when it was."""

    @property
    def complete(self) -> bool:
        """Whether it was read to its end."""
        return not self.cut_off


def possible_zones(names: Iterable[str], targets: Iterable[IPv4Network]) -> list[Name]:
    """Return what may be a zone: names with their parents of two labels or more, and the targets' reverse."""
    found: dict[Name, None] = {}
    for text in names:
        try:
            name = dns.name.from_text(text.strip().strip(".").removeprefix("*.")[:253])
        except (dns.exception.DNSException, ValueError):
            continue
        labels = [label.lower() for label in name.labels]
        # A number is an address, and one label a machine that was never given a domain.
        if len(labels) < 3 or labels[-2].isdigit():
            continue
        for start in range(len(labels) - 2):
            found.setdefault(dns.name.Name(labels[start:]))
    for network in targets:
        octets = str(network.network_address).split(".")
        for count in (3, 2, 1):
            if network.prefixlen >= 8 * count or count == 1:
                reverse = ".".join([*reversed(octets[:count]), "in-addr.arpa"])
                found.setdefault(dns.name.from_text(reverse))
    return sorted(found, key=lambda name: (len(name.labels), name))


async def own_name(address: ScopedAddress, port: int) -> str:
    """Return the name that the server gives itself (`hostname.bind`, class CHAOS), empty without one."""
    query = dns.message.make_query("hostname.bind", dns.rdatatype.TXT, dns.rdataclass.CH, flags=0)
    try:
        answer = await _ask(query, address, port)
    except DnsError:
        return ""
    for records in answer.answer:
        for record in records:
            if record.rdtype == dns.rdatatype.TXT:
                return b"".join(record.strings).decode("utf-8", "replace")
    return ""


async def has_zone(address: ScopedAddress, port: int, zone: Name) -> bool:
    """Return whether the server itself holds `zone`. Without recursion, so that it asks no other server.

    Raises DnsError when it does not answer.
    """
    query = dns.message.make_query(zone, dns.rdatatype.SOA, flags=0)
    answer = await _ask(query, address, port)
    holds = any(records.rdtype == dns.rdatatype.SOA and records.name == zone for records in answer.answer)
    return bool(answer.flags & dns.flags.AA) and holds


async def _ask(query: dns.message.Message, address: ScopedAddress, port: int) -> dns.message.Message:
    try:
        return await dns.asyncquery.udp(query, address, timeout=ANSWER_SECONDS, port=port)
    except (dns.exception.DNSException, OSError, ValueError, EOFError) as error:
        raise DnsError(f"no answer in DNS: {error}"[:300]) from error


async def transfer(address: ScopedAddress, port: int, zone: Name) -> Zone:
    """Request a copy of `zone` (AXFR, RFC 5936) and count what comes of it.

    Raises DnsError when nothing of it comes: mostly it is refused.
    """
    copy = _Copy(zone)
    try:
        async with asyncio.timeout(TRANSFER_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                query = dns.message.make_query(zone, dns.rdatatype.AXFR, flags=0)
                wire = query.to_wire()
                writer.write(struct.pack("!H", len(wire)) + wire)
                why = await _count(reader, query, copy)
            finally:
                writer.close()
    except TimeoutError:
        why = f"the copy did not end within {TRANSFER_SECONDS} s"
    except DnsError as error:
        why = str(error)
    except (dns.exception.DNSException, OSError, ValueError, EOFError) as error:
        why = f"no copy of the zone: {error}"[:300]
    if not copy.records:
        raise DnsError(why)
    return Zone(copy.records, tuple(copy.children), copy.more_children, why)


async def _count(reader: asyncio.StreamReader, query: dns.message.Message, copy: "_Copy") -> str:
    """Read a copy; return why that was not to its end, empty when it was."""
    received = 0
    while True:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        received += size
        before = copy.records
        if copy.take(await reader.readexactly(size), query.id):
            return ""
        if copy.records == before:
            return "the copy stops before its end"
        if received > _TRANSFER_BYTES:
            return f"it has more than {_TRANSFER_BYTES} bytes"
        if copy.records > _TRANSFER_RECORDS:
            return f"it has more than {_TRANSFER_RECORDS} records"


@dataclass(slots=True)
class _Copy:
    """A zone's copy while it comes: it begins and ends with the zone's SOA."""

    zone: Name
    records: int = 0
    children: dict[Name, None] = field(default_factory=dict)
    more_children: bool = False

    def take(self, wire: bytes, number: int) -> bool:
        """Count what one message brings; return whether it was the last. Raises DnsError."""
        for kind, owner in _records(wire, number):
            starts = kind == dns.rdatatype.SOA and _name_at(wire, owner) == self.zone
            if starts and self.records:
                return True
            if not starts and not self.records:
                raise DnsError("the copy does not begin with the zone's SOA")
            self.records += 1
            if kind == dns.rdatatype.NS and not self.more_children:
                name = _name_at(wire, owner)
                if name != self.zone and name.is_subdomain(self.zone) and name not in self.children:
                    self.more_children = len(self.children) == _CHILDREN
                    if not self.more_children:
                        self.children[name] = None
        return False


def _records(wire: bytes, number: int) -> Iterator[tuple[int, int]]:
    """Yield the type of each record of an answer, and where its owner's name begins (RFC 1035, section 4).

    By hand, since dnspython builds an object of every value: a hundred times the work, for a number.
    Raises DnsError.
    """
    try:
        answered, flags, questions, answers = struct.unpack_from("!4H", wire)
        if answered != number or flags & 0x000F:
            raise DnsError(f"the copy is refused ({dns.rcode.to_text(dns.rcode.Rcode(flags & 0x000F))})")
        place = 12
        for _ in range(questions):
            place = _after_name(wire, place) + 4
        for _ in range(answers):
            owner = place
            place = _after_name(wire, place)
            kind, _, _, size = struct.unpack_from("!HHIH", wire, place)
            place += 10 + size
            yield kind, owner
    except (struct.error, IndexError):
        raise DnsError("the copy of the zone is truncated") from None


def _after_name(wire: bytes, place: int) -> int:
    while (length := wire[place]) and length < 0xC0:
        place += 1 + length
    return place + (2 if length else 1)


def _name_at(wire: bytes, place: int) -> Name:
    return dns.name.from_wire(wire, place)[0]
