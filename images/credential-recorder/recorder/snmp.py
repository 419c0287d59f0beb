"""SNMP: tells its engine's id (SNMPv3); records users and communities (v1, v2c) except `public`."""

import asyncio
from typing import override

from ber import elements, integer, tlv
from record import offered

SNMP_V3 = 3
ENGINE_ID = bytes.fromhex("80001f8803") + b"records"
UNKNOWN_ENGINE_IDS = bytes.fromhex("2b060106030f01010400")
"""usmStatsUnknownEngineIDs.0 (RFC 3414)."""
REPORT, COUNTER = 0xA8, 0x41
OPEN_TO_ALL = b"public"
"""The community that agents are delivered with: no more a secret than an anonymous LDAP bind."""


class Agent(asyncio.DatagramProtocol):
    """Answers by UDP."""

    _transport: asyncio.DatagramTransport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            ((_, message),) = elements(data)
            (_, version), (_, second), (_, third), *_ = elements(message)
            if int.from_bytes(version) != SNMP_V3:
                if second != OPEN_TO_ALL:
                    offered("snmp", b"", "a community", addr[0])
                return
            (_, number), *_ = elements(second)
            ((_, security),) = elements(third)
            user = list(elements(security))[3][1]
        except (ValueError, IndexError):
            return
        if user:
            offered("snmp", user, "a user of SNMPv3", addr[0])
            return
        self._transport.sendto(_report(int.from_bytes(number)), addr)


def _report(number: int) -> bytes:
    heading = tlv(0x30, integer(number), integer(65507), tlv(4, b"\0"), integer(3))
    engine = tlv(4, ENGINE_ID)
    security = tlv(4, tlv(0x30, engine, integer(1), integer(60), tlv(4), tlv(4), tlv(4)))
    values = tlv(0x30, tlv(0x30, tlv(6, UNKNOWN_ENGINE_IDS), tlv(COUNTER, b"\1")))
    report = tlv(REPORT, integer(number), integer(0), integer(0), values)
    return tlv(0x30, integer(SNMP_V3), heading, security, tlv(0x30, engine, tlv(4), report))
