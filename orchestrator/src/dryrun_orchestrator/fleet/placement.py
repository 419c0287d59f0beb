"""Decides on which hosts a session's containers stand: on one if they fit there, else on several.

It goes by what containers may take, not by what they are likely to take: a session that has started must not
lose a target because another one became busy.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from dryrun_contract.event import SessionPlaced
from dryrun_orchestrator.catalog.template import Spread

MAX_HOSTS_OF_SESSION = 7
"""Each has a probe with an address of its own, beside 20 targets and two collectors in a /27."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of one host."""

    host: str
    containers: int
    sessions: int
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Return whether it can take a part of a session."""
        return self.sessions > 0 and self.containers > 0


@dataclass(frozen=True, slots=True)
class Needs:
    """What a session takes."""

    services: Sequence[str]
    collectors: int
    """How many run at once."""
    spread: Spread | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of every host that it may stand on."""

    @property
    def containers(self) -> int:
        """Return how many there are at once."""
        return len(self.services) + self.collectors

    def admits(self, room: Room) -> bool:
        """Return whether a host has the labels."""
        return self.labels.items() <= room.labels.items()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything of a session stands. It is stored before anything is created, and never changes."""

    services: Mapping[str, str]
    """Service → host."""
    collectors: str
    reserved: int
    """Room held for collectors, and before them for the probe."""
    reason: str

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return every host that takes part, by name."""
        return tuple(sorted({*self.services.values(), self.collectors}))

    @property
    def is_spread(self) -> bool:
        """Return whether its network crosses hosts."""
        return len(self.hosts) > 1

    def taken(self) -> Counter[str]:
        """Return how many containers each host holds for it."""
        return Counter(self.services.values()) + Counter({self.collectors: self.reserved})

    def to_json(self) -> str:
        """Return the journal's form."""
        return json.dumps(
            {
                "services": dict(self.services),
                "collectors": self.collectors,
                "reserved": self.reserved,
                "reason": self.reason,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the journal's form."""
        return cls(**json.loads(text))

    def event(self, *, encrypted: bool) -> SessionPlaced:
        """Return the event that reports it."""
        return SessionPlaced(
            targets=dict(sorted(Counter(self.services.values()).items())),
            collectors=self.collectors,
            encrypted=encrypted if self.is_spread else None,
            reason=self.reason,
        )


def as_good(placement: Placement | None, best: Placement | None) -> bool:
    """Return whether a placement takes as many hosts as the best one: neither spread in need, nor too little.

    >>> one, two = (Placement({"web": host}, "a", 2, "") for host in "ab")
    >>> as_good(one, one), as_good(two, one), as_good(None, one), as_good(None, None)
    (True, False, False, False)
    """
    return placement is not None and best is not None and len(placement.hosts) == len(best.hosts)


def place(needs: Needs, rooms: Iterable[Room], *, crosses: bool = True) -> Placement | None:
    """Return where a session can stand now; None when there is no room.

    The emptiest of the hosts that it fits on gets it; if it fits on none, it is spread over as few as
    possible. `crosses` says whether a network across hosts can be made.
    """
    fitting = [room for room in rooms if room.is_open and needs.admits(room)]
    ranked = sorted(fitting, key=lambda room: (-room.containers, room.host))
    if needs.spread is None and ranked and ranked[0].containers >= needs.containers:
        host = ranked[0].host
        reason = f"it fits on {host}, the emptiest host"
        return Placement(dict.fromkeys(needs.services, host), host, needs.collectors, reason)
    ranked = ranked[:MAX_HOSTS_OF_SESSION]
    if not crosses or len(ranked) < 2 or sum(room.containers for room in ranked) < needs.containers:
        return None
    if needs.spread == "collectors":
        return _apart(needs, ranked)
    if needs.spread == "targets":
        return _evenly(needs, ranked)
    return _filled(needs, ranked)


def _filled(needs: Needs, ranked: Sequence[Room]) -> Placement | None:
    """Fill the emptiest host first, with the collectors; so that the fewest take part."""
    first = ranked[0].host
    if ranked[0].containers < needs.collectors:
        return None
    left = {room.host: room.containers for room in ranked}
    left[first] -= needs.collectors
    services: dict[str, str] = {}
    waiting = list(needs.services)
    for host, containers in left.items():
        services |= dict.fromkeys(waiting[:containers], host)
        waiting = waiting[containers:]
    return _placement(needs, services, first, f"{first} has room for {ranked[0].containers}")


def _evenly(needs: Needs, ranked: Sequence[Room]) -> Placement | None:
    """Give each host the same number of targets, as far as it has room; the collectors take the last turn."""
    left = {room.host: room.containers for room in ranked}
    collectors = ranked[0].host
    if left[collectors] < needs.collectors:
        return None
    left[collectors] -= needs.collectors
    held: Counter[str] = Counter()
    services: dict[str, str] = {}
    for service in needs.services:
        # Of those with as few the emptiest: two targets would otherwise stand on the same two hosts always.
        host = min((each for each in left if left[each] > held[each]), key=lambda each: held[each])
        services[service] = host
        held[host] += 1
    return _placement(needs, services, collectors, "its template spreads targets over all hosts")


def _apart(needs: Needs, ranked: Sequence[Room]) -> Placement | None:
    """Put collectors on the smallest host that has room for them, and every target elsewhere."""
    for room in reversed(ranked):
        others = [each for each in ranked if each is not room]
        left = sum(each.containers for each in others)
        if room.containers >= needs.collectors and left >= len(needs.services):
            services: dict[str, str] = {}
            waiting = list(needs.services)
            for each in others:
                services |= dict.fromkeys(waiting[: each.containers], each.host)
                waiting = waiting[each.containers :]
            return _placement(needs, services, room.host, "its template keeps collectors apart from targets")
    return None


def _placement(needs: Needs, services: Mapping[str, str], collectors: str, why: str) -> Placement:
    counts = Counter(services.values())
    parts = ", ".join(f"{counts[host]} on {host}" for host in sorted(counts))
    return Placement(services, collectors, needs.collectors, f"{parts}, collectors on {collectors}: {why}")
