"""What images/probe/frames.c says in C, a second time: the frames of the probe, and what it hears means."""

import socket
import struct
from typing import NamedTuple

SIGNATURE = 0x2A << 2 | 3
"""Traffic class that the host rule (deploy/host-rule/rule.nft) writes on the bridge's multicast reports: DSCP
0x2a, and both ECN bits, which a rule without the lines for ports leaves as they were."""

BROADCAST = b"\xff" * 6
RESERVED = tuple(b"\x01\x80\xc2\x00\x00" + bytes([last]) for last in range(2, 16))
"""Reserved for what bridges say to each other (IEEE 802.1D): the port takes it in, no bridge; of the two
before, one is bridged and one dropped. A `group_fwd_mask` of bridge or port may have any bridged instead."""
ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
ALL_SYSTEMS = socket.inet_aton("224.0.0.1")
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
IGMP, ICMPV6, HOP_BY_HOP = 2, 58, 0
ROUTER_ALERT = b"\x3a\x00\x05\x02\x00\x00\x01\x00"
IGMP_QUERY, IGMPV3_REPORT = 0x11, 0x22
ECHO_REQUEST, ECHO_REPLY = 128, 129
MLD_QUERY, MLDV2_REPORT = 130, 143
SOLICITATION, ADVERTISEMENT = 135, 136
CURRENT_STATE_RECORDS = {1, 2}
"""MODE_IS_INCLUDE and MODE_IS_EXCLUDE: only a query brings them forth (RFC 3376 4.2.12, RFC 3810 5.2.12)."""
CHANGE_TO_EXCLUDE = 4
"""The interface has joined a group. The report of one who leaves says nothing about a later query."""


class Heard(NamedTuple):
    """What a frame means. `role` is `answer` (to us), `signed` or `announcement` (by itself)."""

    role: str
    what: str


def link_local(mac: bytes) -> bytes:
    """The address that an interface with this MAC gives itself (RFC 4291, appendix A)."""
    return b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _icmpv6(source: bytes, target: bytes, message: bytes, *, router_alert: bool = False) -> bytes:
    pseudo = source + target + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    payload = (ROUTER_ALERT if router_alert else b"") + message
    first_header = HOP_BY_HOP if router_alert else ICMPV6
    hop_limit = 1 if router_alert else 255
    return struct.pack("!IHBB", 6 << 28, len(payload), first_header, hop_limit) + source + target + payload


def arp_probe(mac: bytes, address: bytes, to: bytes = BROADCAST) -> bytes:
    """Who has `address`? Without a sender address (RFC 5227), as reverse path filters do not drop that."""
    arp = struct.pack("!HHBBH", 1, IPV4, 6, 4, 1) + mac + bytes(4) + bytes(6) + address
    return to + mac + struct.pack("!H", ARP) + arp


def questions(mac: bytes, host_mac: bytes) -> list[bytes]:
    """What a host that receives our frames answers by itself, at once, through the bridge.

    A multicast query is answered as soon as the interface has joined a group, also while its link-local
    address is tentative (1 to 2 s) and answers nothing else. Sent to the host's own MAC, so that the bridge
    does not take us for the network's multicast router.
    """
    me, host = link_local(mac), link_local(host_mac)
    igmp = struct.pack("!BBHIBBH", IGMP_QUERY, 0, 0, 0, 2, 1, 0)
    igmp = igmp[:2] + struct.pack("!H", checksum(igmp)) + igmp[4:]
    # No IP options: the rule drops those elsewhere, and this is to test its line for the input hook. The
    # source 0.0.0.0 passes reverse path filters.
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(igmp), 0, 0, 1, IGMP, 0) + bytes(4) + ALL_SYSTEMS
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    mld = struct.pack("!BBHHH", MLD_QUERY, 0, 0, 0, 0) + bytes(16) + struct.pack("!BBH", 2, 1, 0)
    echo = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, 1, 1)
    ask = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + host + b"\x01\x01" + mac
    to_host = host_mac + mac
    ipv4, ipv6 = struct.pack("!H", IPV4), struct.pack("!H", IPV6)
    return [
        to_host + ipv4 + header + igmp,
        to_host + ipv6 + _icmpv6(me, ALL_NODES, mld, router_alert=True),
        to_host + ipv6 + _icmpv6(me, host, ask),
        to_host + ipv6 + _icmpv6(me, host, echo),
        ALL_NODES_MAC + mac + ipv6 + _icmpv6(me, ALL_NODES, echo),
    ]


def port_questions(mac: bytes, likely: tuple[bytes, bytes]) -> list[bytes]:
    """What the host's end of our own link answers to frames that a bridge leaves to its ports."""
    asked: list[bytes] = []
    for to in RESERVED:
        _, query, _, _, echo_to_all = questions(mac, to)
        asked += [*(arp_probe(mac, each, to) for each in likely), query, to + echo_to_all[6:]]
    return asked


def meaning(frame: bytes, mac: bytes) -> Heard | None:
    """Say what a frame of somebody else means to us, `mac`; None when it says nothing about the host.

    Daemons of the host may speak on the host's end of our own link, which is not the bridge: what is neither
    an answer to us nor a multicast report proves nothing.
    """
    try:
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind == ARP:
            return Heard("answer", "ARP")
        if kind == IPV4:
            return _ipv4_meaning(frame, mac)
        if kind == IPV6:
            return _ipv6_meaning(frame, mac)
    except (IndexError, struct.error):
        return None
    return None


def _ipv4_meaning(frame: bytes, mac: bytes) -> Heard | None:
    if frame[:6] == mac:
        return Heard("answer", f"an IPv4 packet, protocol {frame[23]}")
    start = 14 + (frame[14] & 15) * 4
    if frame[23] != IGMP or frame[start] != IGMPV3_REPORT:
        return None
    return _report("IGMPv3 report", frame[15], _record_types(frame, start, address_bytes=4))


def _ipv6_meaning(frame: bytes, mac: bytes) -> Heard | None:
    header, start = frame[20], 54
    if header == HOP_BY_HOP:
        header, start = frame[54], 54 + 8 * (frame[55] + 1)
    if frame[38:54] == link_local(mac):
        what = f"ICMPv6 type {frame[start]}" if header == ICMPV6 else f"an IPv6 packet, protocol {header}"
        return Heard("answer", what)
    if header != ICMPV6:
        return None
    if frame[start] == SOLICITATION and frame[start + 8 : start + 24] == link_local(mac):
        return Heard("answer", "a neighbour solicitation for our address")
    if frame[start] != MLDV2_REPORT:
        return None
    traffic_class = (frame[14] & 15) << 4 | frame[15] >> 4
    return _report("MLDv2 report", traffic_class, _record_types(frame, start, address_bytes=16))


def _record_types(frame: bytes, start: int, *, address_bytes: int) -> set[int]:
    types, position = set(), start + 8
    for _ in range(struct.unpack_from("!H", frame, start + 6)[0]):
        types.add(frame[position])
        auxiliary_words, sources = struct.unpack_from("!BH", frame, position + 1)
        position += 4 + address_bytes * (1 + sources) + 4 * auxiliary_words
    return types


def _report(name: str, traffic_class: int, record_types: set[int]) -> Heard | None:
    if record_types & CURRENT_STATE_RECORDS:
        return Heard("answer", f"{name} that answers our query")
    if CHANGE_TO_EXCLUDE not in record_types:
        return None
    if traffic_class == SIGNATURE:
        return Heard("signed", f"{name} with the host rule's signature")
    return Heard("announcement", f"{name} without the host rule's signature")
