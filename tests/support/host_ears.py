"""Hears whatever of a session arrives at this host: accepted by its sockets, or on any of its interfaces."""

import contextlib
import functools
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_SOL_PACKET, _PACKET_STATISTICS, _SO_RCVBUFFORCE = 263, 6, 33
_BUFFER_BYTES = 32 * 1024 * 1024
_MARK = re.compile(rb"escaped[0-9a-f]{16}")
_RAW = {
    "IPv4 TCP": (socket.AF_INET, socket.IPPROTO_TCP),
    "IPv4 UDP": (socket.AF_INET, socket.IPPROTO_UDP),
    "IPv4 ICMP": (socket.AF_INET, socket.IPPROTO_ICMP),
    "IPv6 TCP": (socket.AF_INET6, socket.IPPROTO_TCP),
    "IPv6 UDP": (socket.AF_INET6, socket.IPPROTO_UDP),
    "IPv6 ICMP": (socket.AF_INET6, socket.IPPROTO_ICMPV6),
}


def new_mark() -> str:
    """Return a new mark to send; each mark is heard and distinguished."""
    return f"escaped{secrets.token_hex(8)}"


@dataclass(slots=True)
class Heard:
    """What carried one mark."""

    accepted: set[str] = field(default_factory=set)
    """What the host took for itself, as `IPv4 UDP`, after every filter."""
    interfaces: set[str] = field(default_factory=set)
    """Where frames were seen, in either direction, before every filter; a bridge stands for its ports."""


class HostEars:
    """Listens on every address of the host from `with` on; root only.

    Raw sockets get what passes the filters whether or not anybody listens on its port; `port` has besides a
    listener of its own for TCP and UDP on all addresses, so that there is something to answer.
    """

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = defaultdict(Heard)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets = contextlib.ExitStack()
        self.port = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
            exits.enter_context(listener)
            self.port = listener.getsockname()[1]
            datagrams = exits.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            datagrams.bind(("::", self.port))
            raw = {
                name: exits.enter_context(socket.socket(family, socket.SOCK_RAW, protocol))
                for name, (family, protocol) in _RAW.items()
            }
            wire = exits.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
            self._wire = wire
            for source in (wire, *raw.values()):
                source.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
                source.settimeout(0.1)
            self._threads = [
                threading.Thread(target=self._read, args=(source, name))
                for name, source in ({**raw, None: wire}).items()
            ]
            for thread in self._threads:
                thread.start()
            self._sockets = exits.pop_all()
        return self

    def _read(self, source: socket.socket, name: str | None) -> None:
        while not self._stop.is_set():
            try:
                data, origin = source.recvfrom(65536)
            except TimeoutError:
                continue
            for mark in _MARK.findall(data):
                heard = self._heard[mark.decode()]
                if name is None:
                    heard.interfaces.add(_bridge_of(origin[0]))
                else:
                    heard.accepted.add(name)

    def of(self, mark: str) -> Heard:
        """Return what was heard of a mark so far."""
        return self._heard[mark]

    def missed(self) -> int:
        """Return how many frames came faster than they were read; silence proves something only with none."""
        lost = self._wire.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return struct.unpack("=II", lost)[1]

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._sockets.close()


@functools.cache
def _bridge_of(interface: str) -> str:
    # Remembered from the first frame on: a container's link is gone with the container.
    try:
        return Path(f"/sys/class/net/{interface}/master").readlink().name
    except OSError:
        return interface


def host_addresses() -> list[str]:
    """Every address of this host, IPv4 and IPv6, on whichever interface."""
    shown = subprocess.run(["ip", "-j", "addr"], check=True, capture_output=True, text=True, timeout=10)
    found = {
        entry["local"]
        for interface in json.loads(shown.stdout)
        for entry in interface["addr_info"]
        if "local" in entry
    }
    return sorted(found)


@contextlib.contextmanager
def neighbour(host: str, other: str) -> Iterator[str]:
    """Another network beside the host, in a network namespace: yields the host's interface to it."""
    name = f"dryrun-{os.getpid()}-beyond"
    interface = f"beyond{os.getpid() % 100000}"

    def run(*command: str) -> None:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"

    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", interface, "type", "veth", "peer", "eth0", "netns", name)
        run("ip", "addr", "add", f"{host}/27", "dev", interface)
        run("ip", "link", "set", interface, "up")
        run("ip", "-n", name, "addr", "add", f"{other}/27", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        try:
            yield interface
        finally:
            # At once: the end of its namespace is no moment that the next one could wait for.
            run("ip", "link", "del", interface)
    finally:
        run("ip", "netns", "del", name)
