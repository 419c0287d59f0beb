"""Who a client is (Unix socket: peer credentials; TCP: address), and how much it may take."""

import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from docker_guard.clients.turns import Turns
from docker_guard.leaving import Leaving
from docker_guard.refusal import Refusal
from docker_guard.rules.policy import Policy

_SO_PEERGROUPS = 59
"""Linux: the supplementary groups of the peer; `socket` has no name for it."""
OBSERVER = "observer"
"""The unit in a certificate that says, by the authority's word, that its holder may list networks only."""
_MOST_GROUPS = 256
"""Python allows no larger buffer; a peer in more groups is identified by its user and first group only."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A client. Connections with the same `key` share its ceilings."""

    key: str
    shown: str
    refusal: str = ""
    observes: bool = False
    """Whether it may list networks and nothing else."""


def peer_of(connection: Any, policy: Policy, certificate: Mapping[str, Any] | None = None) -> Peer:
    """Return who has connected, with the reason if it may not connect.

    `certificate` is the client's, verified, as `ssl` has it.
    """
    if connection.family == socket.AF_UNIX:
        return _unix_peer(connection, policy)
    address = ip_address(connection.getpeername()[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    allowed = any(address in network for network in policy.client_networks)
    refusal = "" if allowed else f"{address} may not connect"
    subject = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    if ("organizationalUnitName", OBSERVER) in subject:
        name = " ".join(str(value) for key, value in subject if key == "commonName")
        return Peer(f"{address} {name}", f"{address} {name}", refusal, observes=True)
    return Peer(str(address), str(address), refusal)


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
    """Bounds what clients take of the guard: connections, long-lived answers, bytes in memory.

    A client gets at most half of what the others leave, so that a few of them cannot take everything.
    """

    def __init__(self, policy: Policy) -> None:
        self._connections = _Ceiling(policy.connections, "too many connections")
        self._streams = _Ceiling(policy.streams, "too many long-lived answers")
        self._bytes = _Ceiling(policy.held_bytes, "too many large requests or answers at once")
        self._turns = Turns()

    @property
    def size(self) -> int:
        """Return the number of connections."""
        return self._connections.total

    @contextmanager
    def admitted(self, peer: Peer) -> Iterator[None]:
        """Count a connection. Raises Refusal when there are too many, or the peer may not connect."""
        if peer.refusal:
            raise Refusal("peer", peer.refusal)
        self._connections.take(peer.key, 1)
        try:
            yield
        finally:
            self._connections.give_back(peer.key, 1)

    @contextmanager
    def share(self, peer: Peer, left: Leaving) -> Iterator["Share"]:
        """Count what one request takes, until its answer is written. `left`: see `Share.left`."""
        share = Share(peer.key, self._streams, self._bytes, self._turns, left)
        try:
            yield share
        finally:
            share.end()


class Share:
    """What one request takes of the guard; each method raises Refusal when it is too much."""

    def __init__(self, key: str, streams: "_Ceiling", held: "_Ceiling", turns: Turns, left: Leaving) -> None:
        self._key = key
        self._left = left
        self._turns = turns
        self._streams = streams
        self._held = held
        self._bytes = 0
        self._lasts = 0

    @property
    def key(self) -> str:
        """Return the client's key."""
        return self._key

    @property
    def left(self) -> Leaving:
        """Return what notices that the client left."""
        return self._left

    def last(self) -> None:
        """Count a long-lived answer."""
        self._streams.take(self._key, 1)
        self._lasts += 1

    def take(self, size: int) -> None:
        """Count bytes held for the request or its answer."""
        self._held.take(self._key, size)
        self._bytes += size

    def charge(self, size: int) -> None:
        """Count bytes beyond the ceiling too: the answer to what has been done is not refused."""
        self._held.charge(self._key, size)
        self._bytes += size

    async def turn(self) -> None:
        """Wait for this client's turn to have something long parsed."""
        await self._turns.mine(self._key)

    def give_back(self, size: int) -> None:
        """Uncount bytes that are no longer held."""
        self._held.give_back(self._key, size)
        self._bytes -= size

    def end(self) -> None:
        """Uncount everything."""
        self.give_back(self._bytes)
        self._streams.give_back(self._key, self._lasts)


class _Ceiling:
    """A bounded resource, shared by clients."""

    def __init__(self, most: int, complaint: str) -> None:
        self._most = most
        self._complaint = complaint
        self._taken: Counter[str] = Counter()
        self.total = 0

    def take(self, key: str, number: int) -> None:
        """Take `number`. Raises Refusal when a client would have more than half of what the others leave."""
        own = self._taken[key] + number
        if own > (self._most - (self.total + number - own)) / 2:
            self._taken += Counter()
            raise Refusal("crowd", f"{self._complaint}; try again", 503)
        self.charge(key, number)

    def charge(self, key: str, number: int) -> None:
        """Take `number`, beyond the ceiling too."""
        self._taken[key] += number
        self.total += number

    def give_back(self, key: str, number: int) -> None:
        """Give `number` back to the client's share."""
        self._taken[key] -= number
        self._taken += Counter()  # drops clients that have none
        self.total -= number
