"""The network between a fleet's hosts: what passes there, strangers on it, and frames that they forge."""

import os
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet_host import Host, run
from fleet_lab import UNDERLAY, FleetLab
from local_stack import PATIENCE
from probe_frames import checksum

VXLAN: Final = 4789
EAR: Final = 40405
"""The port that forged frames are for."""
FORGED: Final = b"escaped"
ARRIVAL_SECONDS: Final = 0.5
ETH_P_ALL: Final = 3
SO_RCVBUFFORCE: Final = 33
SOL_PACKET: Final = 263
PACKET_STATISTICS: Final = 6


@contextmanager
def entered(namespace: str | Path) -> Iterator[None]:
    """Make sockets in another network namespace."""
    with Path("/proc/self/ns/net").open() as home, Path(namespace).open() as there:
        os.setns(there.fileno(), os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(home.fileno(), os.CLONE_NEWNET)


@contextmanager
def stranger() -> Iterator[socket.socket]:
    """Yield a UDP socket of a machine on the underlay that is none of the hosts."""
    run("ip", "netns", "add", "fleet-stranger")
    try:
        cable = ("type", "veth", "peer", "name", "eth0", "netns", "fleet-stranger")
        run("ip", "link", "add", "fl-stranger", *cable)
        run("ip", "link", "set", "fl-stranger", "master", "fleet0", "up")
        there = ("ip", "-n", "fleet-stranger")
        run(*there, "addr", "add", f"{UNDERLAY}.99/24", "dev", "eth0")
        run(*there, "link", "set", "eth0", "up")
        with udp_in(Path("/run/netns/fleet-stranger")) as made:
            yield made
    finally:
        # A namespace takes its links away later, and the next stranger would meet this one's.
        subprocess.run(["ip", "link", "delete", "fl-stranger"], check=False, timeout=30)
        run("ip", "netns", "delete", "fleet-stranger")


@contextmanager
def opened_to_strangers(fleet: FleetLab, host: Host) -> Iterator[None]:
    """Let strangers send to a host's swarm and VXLAN ports for the time of the block."""
    run(*host.inside("nft", "delete", "table", "inet", "dryrun_fleet"))
    try:
        yield
    finally:
        fleet.shut_to_strangers(host)


def udp_frame(to: bytes, mac: bytes, source: str, address: str, port: int) -> bytes:
    udp = struct.pack("!HHHH", 40000, port, 8 + len(FORGED), 0) + FORGED
    head = struct.pack(
        "!BBHHHBBH4s4s",
        *(0x45, 0, 20 + len(udp), 1, 0, 64, socket.IPPROTO_UDP, 0),
        *map(socket.inet_aton, (source, address)),
    )
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return to + mac + b"\x08\x00" + head + udp


def forged_packet(vni: int, victim: str) -> bytes:
    """Return a VXLAN packet with a frame for a container, as if a neighbour in its network had sent it."""
    mac = bytes([0x02, 0x42]) + socket.inet_aton(victim)
    source = f"{victim.rpartition('.')[0]}.30"
    return struct.pack("!II", 0x08000000, vni << 8) + udp_frame(
        mac, bytes([0x02, 0x42, 0, 0, 0, 9]), source, victim, EAR
    )


@dataclass(frozen=True)
class Inside:
    """A container's network."""

    host: Host
    namespace: Path
    address: str


def inside_of(fleet: FleetLab, session_id: str) -> list[Inside]:
    return [
        inside(host, identity)
        for host in fleet.hosts.values()
        for identity in host.docker(
            "ps", "--quiet", "--filter", f"label=discovery.dryrun.session_id={session_id}"
        ).split()
    ]


def inside(host: Host, container: str) -> Inside:
    shown = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    pid, address = host.docker("inspect", "--format", shown, container).split()
    return Inside(host, Path(f"/proc/{pid}/ns/net"), address)


def vni_of(fleet: FleetLab, network: str) -> int:
    listed = fleet.manager.ask("GET", f"/networks/{network}")
    return int(listed["Options"]["com.docker.network.driver.overlay.vxlanid_list"])


def udp_in(namespace: Path) -> socket.socket:
    with entered(namespace):
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@contextmanager
def ear_in(namespace: Path) -> Iterator[socket.socket]:
    """Yield a socket that hears what is for `EAR` in a container's network."""
    with udp_in(namespace) as ear:
        ear.bind(("0.0.0.0", EAR))
        ear.settimeout(ARRIVAL_SECONDS * PATIENCE)
        yield ear


def arrives(ear: socket.socket, sender: socket.socket, packet: bytes, host: Host) -> bool:
    """Return whether a container on the host hears a packet that is sent to the host's VXLAN port."""
    sender.sendto(packet, (host.address, VXLAN))
    try:
        return ear.recv(100) == FORGED
    except TimeoutError:
        return False


@contextmanager
def bridged(host: Host, image: str) -> Iterator[socket.socket]:
    """Yield a UDP socket of a container on the host's default bridge, which sends as the host."""
    container = run_idle(host, "bridge", image)
    try:
        with udp_in(inside(host, container).namespace) as made:
            yield made
    finally:
        host.docker("rm", "--force", container)


def run_idle(host: Host, network: str, image: str) -> str:
    """Run a container that does nothing in a network, and return its id."""
    # Checks of its health would take a virtual machine's whole processor.
    return host.docker(
        *("run", "--detach", "--no-healthcheck", "--pull", "never", "--network", network),
        *("--entrypoint", "sleep", image, "3600"),
    )


def can_encrypt() -> bool:
    """Return whether the kernel takes what an engine asks of it; it loads the algorithm for that."""
    asked = (
        "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode transport aead rfc4106(gcm(aes)) "
        f"0x{'11' * 20} 64"
    ).split()
    return (
        subprocess.run(["unshare", "--net", *asked], capture_output=True, check=False, timeout=60).returncode
        == 0
    )


@contextmanager
def tapped(host: Host) -> Iterator[Counter[str]]:
    """Count the frames on a worker's cable, complete when the block ends.

    Kinds: `esp`, `vxlan` (in the clear), `other`.
    """
    kinds: Counter[str] = Counter()
    ending = threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        tap.bind((host.link, 0))
        tap.settimeout(0.2)
        counting = threading.Thread(target=_count, args=(tap, kinds, ending))
        counting.start()
        try:
            yield kinds
        finally:
            ending.set()
            counting.join()
        _, lost = struct.unpack("II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        assert not lost, f"{lost} frames were not looked at"


def _count(tap: socket.socket, kinds: Counter[str], ending: threading.Event) -> None:
    while True:
        try:
            kinds[_kind(tap.recv(65535))] += 1
        except TimeoutError:
            if ending.is_set():
                return


def _kind(frame: bytes) -> str:
    if frame[12:14] != b"\x08\x00":
        return "other"
    protocol, head = frame[23], 14 + 4 * (frame[14] & 15)
    if protocol == socket.IPPROTO_ESP:
        return "esp"
    is_vxlan = protocol == socket.IPPROTO_UDP and frame[head + 2 : head + 4] == struct.pack("!H", VXLAN)
    return "vxlan" if is_vxlan else "other"
