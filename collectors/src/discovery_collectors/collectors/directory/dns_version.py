"""Asks a name server by UDP what it is: `version.bind`, which the server answers from itself."""

import re
import struct

from discovery_collectors.protocols.udp import Facts, UdpProbe

_CPES = {"ISC BIND": "cpe:/a:isc:bind", "dnsmasq": "cpe:/a:thekelleys:dnsmasq"}
_TEXT_CHARACTERS = 300


def _ask_bind_version(number: int) -> bytes:
    # One question, class CHAOS, no recursion: the server answers by itself and asks no other.
    name = b"\x07version\x04bind\x00"
    return struct.pack("!6H", number, 0, 1, 0, 0, 0) + name + struct.pack("!2H", 16, 3)


def _read_dns(answer: bytes, number: int) -> Facts | None:
    if len(answer) < 12:
        return None
    answered, flags, questions, answers = struct.unpack("!4H", answer[:8])
    if answered != number or not flags & 0x8000:
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
    # As nmap reports it over TCP: with the distribution's number, without its name.
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


DNS = UdpProbe(53, "domain", _ask_bind_version, _read_dns)
