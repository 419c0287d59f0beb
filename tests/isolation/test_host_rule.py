"""The host rule stops every way from a session to anything else, and leaves the session whole."""

import json
import os
import shutil
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import probe_frames as frames
import pytest
from network_lab import BRIDGE, HOST, OTHER_BRIDGE, OTHER_SESSION, OUTSIDE, PEER, PROBE_ADDRESS, RULE, Lab

OUTSIDE_6 = "fd99::5"
RESERVED = ("0180c2000003", "0180c200000e")
"""Addresses of IEEE 802.1D: a frame to one of them is the port's own, whatever is in it."""
VLAN_0 = {"802.1Q": b"\x81\x00\x00\x00", "802.1ad and 802.1Q": b"\x88\xa8\x00\x00\x81\x00\x00\x00"}
"""Tags with a priority and no network: the kernel takes them off, as many as there are."""

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]


class Escapes:
    """What a container with NET_RAW may try: frames to the bridge's MAC, and where they would show."""

    MARK = b"escaped!"

    def __init__(self, lab: Lab) -> None:
        raw = (socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.session = lab.socket("a", *raw)
        self.outside = lab.socket("out", *raw)
        self.other_session = lab.socket("b", *raw)
        self.udp = lab.socket("host", socket.AF_INET6, socket.SOCK_DGRAM)
        self.udp.bind(("::", 47000))
        self.mac = self.session.getsockname()[4]
        self.bridge_mac, self.port_mac = (
            bytes.fromhex(lab.inside("host", "cat", f"/sys/class/net/{name}/address").replace(":", ""))
            for name in (BRIDGE, "veth-a")
        )

    def udp4(
        self,
        target: str,
        *,
        source: str = PROBE_ADDRESS,
        ttl: int = 64,
        options: bytes = b"",
        more: bool = False,
    ) -> bytes:
        datagram = struct.pack("!HHHH", 5, 47000, 8 + len(self.MARK), 0) + self.MARK
        head, flags = 5 + len(options) // 4, 0x2000 if more else 0
        header = struct.pack("!BBHHHBBH", 0x40 | head, 0, head * 4 + len(datagram), 0, flags, ttl, 17, 0)
        header += socket.inet_aton(source) + socket.inet_aton(target) + options
        header = header[:10] + struct.pack("!H", frames.checksum(header)) + header[12:]
        return b"\x08\x00" + header + datagram

    def ping6(self, target: bytes, *, source: bytes, hop_by_hop: bytes = b"") -> bytes:
        echo = struct.pack("!BBHHH", 128, 0, 0, 1, 1) + self.MARK
        pseudo = source + target + struct.pack("!II", len(echo), 58)
        echo = echo[:2] + struct.pack("!H", frames.checksum(pseudo + echo)) + echo[4:]
        header = struct.pack("!IHBB", 6 << 28, len(hop_by_hop + echo), 0 if hop_by_hop else 58, 64)
        return b"\x86\xdd" + header + source + target + hop_by_hop + echo

    def shows(
        self,
        listener: socket.socket,
        payload: bytes,
        *,
        to: bytes | None = None,
        sign: Callable[[bytes], bool] | None = None,
    ) -> bool:
        """Send and say whether the listener saw the mark (or the sign) within a while."""
        sign = sign or (lambda frame: self.MARK in frame)
        listener.settimeout(0.02)
        try:
            while listener.recv(2048):
                pass
        except TimeoutError:
            pass
        self.session.send((to or self.bridge_mac) + self.mac + payload)
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            try:
                if sign(listener.recv(2048)):
                    return True
            except TimeoutError:
                continue
        return False

    def past_the_bridge(self, to: bytes) -> dict[str, bool]:
        """Try the port of the bridge, which is an interface of the host as well."""
        # Another source each time: the host asks once a second who somebody is.
        stranger = socket.inet_pton(socket.AF_INET6, f"fe80::{to[-1]:x}")
        target = frames.link_local(self.port_mac)
        asked = frames.arp_probe(self.mac, socket.inet_aton(HOST))[12:]

        def answered(frame: bytes) -> bool:
            return frame[6:14] == self.port_mac + b"\x08\x06"

        def asked_or_answered(frame: bytes) -> bool:
            return frame[6:14] == self.port_mac + b"\x86\xdd" and stranger in frame

        return {
            "IPv4": self.shows(self.udp, self.udp4(HOST), to=to),
            "ARP": self.shows(self.session, asked, to=to, sign=answered),
            **{
                f"IPv4 in {what}": self.shows(self.udp, tags + self.udp4(HOST), to=to)
                for what, tags in VLAN_0.items()
            },
            **{
                f"ARP in {what}": self.shows(self.session, tags + asked, to=to, sign=answered)
                for what, tags in VLAN_0.items()
            },
            "IPv6": self.shows(
                self.session, self.ping6(target, source=stranger), to=to, sign=asked_or_answered
            ),
        }

    def attempts(self) -> dict[str, bool]:
        host6 = frames.link_local(self.bridge_mac)
        our6 = frames.link_local(self.mac)
        outside6 = socket.inet_pton(socket.AF_INET6, OUTSIDE_6)
        # Another source than in the attempt before: the host asks once a second who somebody is.
        stranger = socket.inet_pton(socket.AF_INET6, "fe80::5")
        unknown_option = b"\x3a\x00\x9e\x04\x00\x00\x00\x00"

        def answered(frame: bytes) -> bool:
            # The reports of its multicast groups the bridge sends by itself: they answer nothing.
            is_report = frame[:6] == bytes.fromhex("333300000016")
            kinds = (b"\x08\x06", b"\x86\xdd")
            return frame[6:12] == self.bridge_mac and frame[12:14] in kinds and not is_report

        def asked_or_marked(frame: bytes) -> bool:
            return self.MARK in frame or frame[12:14] == b"\x08\x06"

        return {
            "IPv4 to a host socket": self.shows(self.udp, self.udp4(HOST)),
            "IPv4 behind a tag of VLAN 0": self.shows(self.udp, b"\x81\x00\x00\x00" + self.udp4(HOST)),
            "IPv4 by a broadcast frame": self.shows(self.udp, self.udp4(HOST), to=frames.BROADCAST),
            "ARP": self.shows(
                self.session,
                frames.arp_probe(self.mac, socket.inet_aton(HOST))[12:],
                to=frames.BROADCAST,
                sign=answered,
            ),
            "IPv6 link-local": self.shows(self.session, self.ping6(host6, source=our6), sign=answered),
            "IPv6 faulty option": self.shows(
                self.session, self.ping6(host6, source=stranger, hop_by_hop=unknown_option), sign=answered
            ),
            **{
                f"{what} by a frame to {to}": is_open
                for to in RESERVED
                for what, is_open in self.past_the_bridge(bytes.fromhex(to)).items()
            },
            "another network": self.shows(self.outside, self.udp4(OUTSIDE)),
            "another session": self.shows(self.other_session, self.udp4(OTHER_SESSION), sign=asked_or_marked),
            "error by TTL": self.shows(self.outside, self.udp4("10.213.201.9", source=OUTSIDE, ttl=1)),
            "error by IP option": self.shows(
                self.outside,
                self.udp4(HOST, source=OUTSIDE, options=b"\x07\x07\x03\x00\x00\x00\x00\x00"),
                sign=lambda frame: frame[34:36] == b"\x0c\x00",
            ),
            "error by IPv6 option": self.shows(
                self.outside,
                self.ping6(
                    socket.inet_pton(socket.AF_INET6, "fd99::1"), source=outside6, hop_by_hop=unknown_option
                ),
            ),
        }


@contextmanager
def two_sessions(lab: Lab, *, bridged_filtering: int, rule: bool) -> Iterator[Escapes]:
    lab.build(bridged_filtering=bridged_filtering)
    lab.inside("host", "ip", "addr", "add", "fd99::1/64", "dev", "veth-out", "nodad")
    lab.inside("out", "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0")
    lab.inside("out", "ip", "addr", "add", f"{OUTSIDE_6}/64", "dev", "eth0", "nodad")
    # A route that somebody may add by hand; without it one session cannot be routed to another at all.
    lab.inside("host", "ip", "route", "add", "10.213.200.32/27", "dev", OTHER_BRIDGE)
    if rule:
        lab.load_rule()
    for name, address, bridge in (
        ("a", PROBE_ADDRESS, BRIDGE),
        ("peer", PEER, BRIDGE),
        ("b", OTHER_SESSION, OTHER_BRIDGE),
    ):
        lab.plug(name, address, bridge)
    lab.wait_for_link_local(BRIDGE)
    lab.wait_for_link_local("veth-a")
    escapes = Escapes(lab)
    try:
        yield escapes
    finally:
        for used in (escapes.session, escapes.outside, escapes.other_session, escapes.udp):
            used.close()


@pytest.mark.parametrize("bridged_filtering", [0, 1])
def test_every_way_out_is_open_without_the_rule(lab, bridged_filtering):
    with two_sessions(lab, bridged_filtering=bridged_filtering, rule=False) as escapes:
        assert [name for name, open_ in escapes.attempts().items() if not open_] == []


@pytest.mark.parametrize("bridged_filtering", [0, 1])
def test_every_way_out_is_shut_with_the_rule_and_the_session_stays_whole(lab, bridged_filtering):
    with two_sessions(lab, bridged_filtering=bridged_filtering, rule=True) as escapes:
        assert [name for name, open_ in escapes.attempts().items() if open_] == []
        with lab.socket("peer", socket.AF_INET, socket.SOCK_STREAM) as server:
            server.bind((PEER, 5000))
            server.listen()
            with lab.socket("a", socket.AF_INET, socket.SOCK_STREAM) as client:
                client.settimeout(2)
                client.connect((PEER, 5000))


def flood(lab: Lab, name: str, frames: Iterator[bytes]) -> None:
    with lab.socket(name, socket.AF_PACKET, socket.SOCK_RAW, 0) as line:
        for frame in frames:
            line.send(frame)


def connections(lab: Lab) -> int:
    """How many the host remembers."""
    return int(lab.inside("host", "cat", "/proc/sys/net/netfilter/nf_conntrack_count"))


def fragments(lab: Lab) -> int:
    """How many bytes of packets in parts the host keeps until the rest comes."""
    used = lab.inside("host", "cat", "/proc/net/sockstat").partition("FRAG:")[2]
    return int(used.split()[3])


def learned(lab: Lab) -> int:
    """How many addresses the session's bridge has learned from its ports."""
    entries = json.loads(lab.inside("host", "bridge", "-json", "fdb", "show", "br", BRIDGE))
    return sum(entry.get("state") != "permanent" for entry in entries)


@pytest.mark.parametrize(("rule", "remembered"), [(False, True), (True, False)])
def test_a_session_takes_no_room_in_the_hosts_table_of_connections(lab, rule, remembered):
    with two_sessions(lab, bridged_filtering=1, rule=rule):
        # Somebody's rule that asks for connections, as Docker's own do.
        lab.inside("host", "nft", "add table inet other")
        lab.inside("host", "nft", "add chain inet other x { type filter hook input priority 0; }")
        lab.inside("host", "nft", "add rule inet other x ct state established accept")
        with lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM) as speaker:
            for port in range(1000, 2000):
                speaker.sendto(b"x", (PEER, port))
        assert (connections(lab) > 900) is remembered
        assert connections(lab) == 0 or remembered


@pytest.mark.parametrize("bridged_filtering", [0, 1])
@pytest.mark.parametrize(("rule", "kept"), [(False, True), (True, False)])
def test_a_session_takes_no_room_among_the_packets_that_the_host_has_in_parts(
    lab, rule, kept, bridged_filtering
):
    with two_sessions(lab, bridged_filtering=bridged_filtering, rule=rule) as escapes:
        to_host, to_all = escapes.udp4(HOST, more=True), escapes.udp4("255.255.255.255", more=True)
        for to, packet in (
            (escapes.bridge_mac, to_host),
            (bytes.fromhex(RESERVED[0]), to_host),
            (frames.BROADCAST, to_all),
            (frames.BROADCAST, escapes.udp4(PEER, more=True)),
        ):
            before = fragments(lab)
            escapes.session.send(to + escapes.mac + packet)
            assert rule is False or fragments(lab) == before == 0
        assert (fragments(lab) > 0) is kept
        with lab.socket("peer", socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.bind((PEER, 4711))
            ear.settimeout(2)
            with lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM) as mouth:
                mouth.sendto(b"x" * 5000, (PEER, 4711))
            assert len(ear.recv(9000)) == 5000


@pytest.mark.parametrize("bridged_filtering", [0, 1])
@pytest.mark.parametrize(("rule", "most"), [(False, None), (True, 150)])
@pytest.mark.parametrize(
    "to", [frames.BROADCAST, bytes.fromhex("0180c200000e")], ids=["broadcast", "link-local"]
)
def test_a_bridge_learns_few_of_the_addresses_that_a_session_invents(lab, to, rule, most, bridged_filtering):
    with two_sessions(lab, bridged_filtering=bridged_filtering, rule=rule):
        invented = (to + b"\x02" + n.to_bytes(5, "big") + b"\x88\xb5" for n in range(5_000))
        flood(lab, "a", invented)
        assert learned(lab) > 4_000 if most is None else learned(lab) <= most
        # Neither the one who did it nor a neighbour is cut off by it.
        assert reaches(lab, "a", PEER)
        assert reaches(lab, "peer", PROBE_ADDRESS)


def test_ports_that_come_after_a_flood_are_as_good_as_any(lab):
    with two_sessions(lab, bridged_filtering=0, rule=True):
        invented = (frames.BROADCAST + b"\x06" + n.to_bytes(5, "big") + b"\x88\xb5" for n in range(5_000))
        flood(lab, "a", invented)
        for number in range(20):
            lab.inside("host", "ip", "link", "del", "veth-peer")
            lab.plug("peer", PEER, BRIDGE)
            assert reaches(lab, "peer", PROBE_ADDRESS), number


@pytest.mark.parametrize(("pool", "arrives"), [("10.213.0.0/16", False), ("10.214.0.0/16", True)])
def test_the_service_that_sends_reaches_what_is_beyond_the_host_but_nothing_of_the_sessions_pool(
    lab, pool, arrives
):
    lab.build()
    bridge, gateway = "dro00000000000a", "10.213.200.1"
    lab.inside("host", "ip", "link", "add", bridge, "address", "02:42:00:00:00:0c", "type", "bridge")
    lab.inside("host", "ip", "link", "set", bridge, "up")
    lab.inside("host", "ip", "addr", "add", f"{gateway}/27", "dev", bridge)
    lab.plug("a", PROBE_ADDRESS, bridge)
    for name, via in (("a", gateway), ("out", HOST)):
        lab.inside(name, "ip", "route", "add", "default", "via", via)
    lab.load_rule(RULE.read_text().replace("sessions = 10.213.0.0/16", f"sessions = {pool}"))
    with (
        lab.socket("out", socket.AF_INET, socket.SOCK_DGRAM) as ear,
        lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        ear.bind((OUTSIDE, 4711))
        ear.settimeout(3 if arrives else 0.4)
        mouth.sendto(b"hello", (OUTSIDE, 4711))
        try:
            assert (ear.recv(100) == b"hello") is arrives
        except TimeoutError:
            assert not arrives


def reaches(lab: Lab, name: str, address: str) -> bool:
    with (
        lab.socket("a" if address == PROBE_ADDRESS else "peer", socket.AF_INET, socket.SOCK_DGRAM) as ear,
        lab.socket(name, socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        ear.bind((address, 4711))
        ear.settimeout(3)
        mouth.sendto(b"hello", (address, 4711))
        try:
            return ear.recv(100) == b"hello"
        except TimeoutError:
            return False
