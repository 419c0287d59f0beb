"""Who is at the other end: credentials of a Unix socket, the address of a TCP connection."""

import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from docker_guard.policy import Policy
from docker_guard.refusal import Refusal

_SO_PEERGROUPS = 59
"""Linux: the supplementary groups of the peer; `socket` has no name for it."""
_MOST_GROUPS = 256
"""Python takes no larger buffer; a peer of more groups is known by its user and first group only."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A client. Connections with the same `key` share its ceilings."""

    key: str
    shown: str
    refusal: str = ""


def peer_of(connection: Any, policy: Policy) -> Peer:
    """Return who has connected, with the reason if it may not."""
    if connection.family == socket.AF_UNIX:
        return _unix_peer(connection, policy)
    address = ip_address(connection.getpeername()[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    allowed = any(address in network for network in policy.client_networks)
    return Peer(str(address), str(address), "" if allowed else f"{address} may not connect")


def _unix_peer(connection: Any, policy: Policy) -> Peer:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    process, user, group = struct.unpack("3i", raw)
    user_ids = (os.geteuid(),) if policy.user_ids is None else policy.user_ids
    group_ids = (os.getegid(),) if policy.group_ids is None else policy.group_ids
    allowed = user in user_ids or any(each in group_ids for each in {group, *_groups(connection)})
    refusal = "" if allowed else f"user {user} may not connect"
    return Peer(f"uid {user}", f"uid={user} gid={group} pid={process}", refusal)


def _groups(connection: Any) -> tuple[int, ...]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError:  # ERANGE: more groups than that
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)


class Crowd:
    """Bounds connections and the bytes of bodies that are being read, altogether and for each client."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._connections: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @property
    def size(self) -> int:
        """Return the number of connections."""
        return self._connections.total()

    @contextmanager
    def admitted(self, peer: Peer) -> Iterator[None]:
        """Count a connection. Raises Refusal when it is one too many, or may not be."""
        if peer.refusal:
            raise Refusal("peer", peer.refusal)
        policy = self._policy
        crowded = self._connections[peer.key] >= policy.connections_per_client
        if crowded or self.size >= policy.connections:
            raise Refusal("crowd", "too many connections; try again", 503)
        self._connections[peer.key] += 1
        try:
            yield
        finally:
            self._connections[peer.key] -= 1
            self._connections += Counter()  # keeps no client that has none

    def take(self, peer: Peer, size: int) -> None:
        """Count bytes of a body. Raises Refusal when they are too many."""
        if self._bytes[peer.key] + size > self._policy.body_bytes_in_flight:
            raise Refusal("crowd", "too many large requests at once; try again", 503)
        self._bytes[peer.key] += size

    def give_back(self, peer: Peer, size: int) -> None:
        """Uncount bytes of a body."""
        self._bytes[peer.key] -= size
        self._bytes += Counter()
