"""Where sessions are prepared: on the one host there is, or on each host of a fleet.

What is prepared stands whole on one host and holds its room there, by the ceilings, as any session does. So
each host of a fleet has a stock of its own, and one that is busy, drained or away delays no other.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, override
from uuid import UUID

from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.fleet.placement import Needs, Placement, place
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.records import DropCause, PoolState, SessionRecord
from dryrun_orchestrator.pool.giving_way import Prepared, giving_way
from dryrun_orchestrator.session.collector_container import COLLECTORS_AT_ONCE
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.settings import MEBIBYTE, Settings

ONE_HOST = ""
"""The name of the one host where there is no fleet."""
TARGET_BYTES = 128 * MEBIBYTE
"""Memory reserved for one target before it exists. Idle ones use 20 to 30 MiB on average, scanned ones 75."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A prepared session to drop, and why."""

    id: UUID
    cause: DropCause
    reason: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the pool has to go by besides its own sessions."""

    running: int
    """Places taken, by prepared sessions too."""
    waiting: int
    """Queued sessions without a place."""
    fault: str | None
    """Why no host could be checked."""
    wanting: Sequence[Needs] = ()
    """In a fleet: what the next sessions that wait for room need; those that wait for a host do not count."""


class Grounds(Protocol):
    """The hosts that sessions are prepared on."""

    @property
    def names(self) -> Sequence[str]:
        """Return their names; each has a stock of its own."""
        ...

    def closed(self, name: str, template: LoadedTemplate | None = None) -> str | None:
        """Return why what is prepared on a host, of this template, has to go; None when it may stay."""
        ...

    def distrust(self, name: str) -> str | None:
        """Return why nothing that is prepared on a host may be claimed as it is; None when it may."""
        ...

    def obstacle(
        self, name: str, template: LoadedTemplate, records: Sequence[SessionRecord], around: Surroundings
    ) -> str | None:
        """Return why a session of a template cannot be prepared on a host now; None when it can."""
        ...

    def placement(self, name: str, template: LoadedTemplate) -> Placement | None:
        """Return where a session that is prepared on a host stands; None where there is no fleet."""
        ...

    def to_give_way(
        self, held: Sequence[SessionRecord], records: Sequence[SessionRecord], around: Surroundings
    ) -> list[Drop]:
        """Return those of `held`, the best to keep first, whose room other sessions need."""
        ...


class OneHost(Grounds):
    """The one host: it has so many places of sessions, and so much memory."""

    names: Sequence[str] = (ONE_HOST,)

    def __init__(self, isolation: Isolation, settings: Settings, memory: Callable[[], int | None]) -> None:
        self._isolation = isolation
        self._settings = settings
        self.memory = memory

    @override
    def closed(self, name: str, template: LoadedTemplate | None = None) -> str | None:
        """Return None except for what a fleet prepared: a single host is never drained."""
        return None if name == ONE_HOST else f"it is on {name}, and there is no fleet any more"

    @override
    def distrust(self, name: str) -> str | None:
        """Return why isolation is not proved."""
        last = self._isolation.last
        # A proof of an earlier process counts for nothing here: whoever starts cold proves their own.
        if last is None or not last.isolated:
            return last.detail if last else "not probed yet"
        if not self._isolation.is_recent:
            return "isolation was not proved lately"
        return None if self._isolation.lost is None else self._isolation.lost.detail

    @override
    def obstacle(
        self, name: str, template: LoadedTemplate, records: Sequence[SessionRecord], around: Surroundings
    ) -> str | None:
        """Return what is lacking: a place, a proof, memory."""
        if around.running >= self._settings.sessions_at_once:
            return f"all {self._settings.sessions_at_once} places of sessions are taken"
        last = self._isolation.last
        if around.fault is not None or last is None or not last.isolated:
            return f"isolation is not proved: {around.fault or (last.detail if last else 'not probed yet')}"
        return _short_memory(self.memory(), template, self._settings)

    @override
    def placement(self, name: str, template: LoadedTemplate) -> Placement | None:
        """Return None: there is one place only."""
        return None

    @override
    def to_give_way(
        self, held: Sequence[SessionRecord], records: Sequence[SessionRecord], around: Surroundings
    ) -> list[Drop]:
        """Return one for each session that waits, and one more when memory runs short."""
        left = list(held)
        staying = {record.id for record in held}
        leaving = sum(_is_leaving(record, staying) for record in records)
        drops = [
            Drop(left.pop().id, DropCause.ROOM, "a queued session needs its place")
            for _ in range(min(around.waiting - leaving, len(left)))
        ]
        if left and not leaving and not drops and (short := _too_little(self.memory(), self._settings)):
            drops.append(Drop(left.pop().id, DropCause.MEMORY, short))
        return drops


class EachHost(Grounds):
    """Every host of a fleet, by itself."""

    def __init__(self, hosts: Hosts, settings: Settings) -> None:
        self._hosts = hosts
        self._settings = settings
        self._left_at: dict[str, float] = {}
        """Host → when something was last seen to leave it, on the monotonic clock."""

    @property
    @override
    def names(self) -> Sequence[str]:
        """Return the hosts of the file, in its order."""
        return tuple(host.name for host in self._hosts.all)

    @override
    def closed(self, name: str, template: LoadedTemplate | None = None) -> str | None:
        """Return whether the operator drains it, or has changed the file so that it may not stand there."""
        fleet = self._hosts.fleet
        if fleet is not None and name in fleet.drained:
            return f"{name} is drained"
        if name not in self.names:
            return f"{name} is no longer in the fleet's file" if name != ONE_HOST else "there is a fleet now"
        return None if template is None else self._lacks_labels(name, template)

    @override
    def distrust(self, name: str) -> str | None:
        """Return why no new session may begin there; None when one may."""
        obstacle = self._hosts.named(name).obstacle
        return self.closed(name) or (None if obstacle is None else f"{name}: {obstacle}")

    @override
    def obstacle(
        self, name: str, template: LoadedTemplate, records: Sequence[SessionRecord], around: Surroundings
    ) -> str | None:
        """Return what is lacking: the host, its labels, its room, its memory."""
        if (distrust := self.distrust(name)) is not None:
            return distrust
        if around.wanting:
            return "a session waits for room"
        if template.spread is not None:
            return "its template spreads it over hosts, and a prepared session is on one"
        if (lacking := self._lacks_labels(name, template)) is not None:
            return lacking
        needs = _needs(template)
        (room,) = self._hosts.rooms(records, [name])
        if place(needs, [room]) is None:
            return (
                f"{name} has room for {max(0, room.sessions)} more sessions and "
                f"{max(0, room.containers)} containers; it needs {needs.containers}"
            )
        # Ceilings alone do not tell: a fleet's file may give a host more than it has.
        short = _short_memory(self._hosts.named(name).available_bytes, template, self._settings)
        return None if short is None else f"{name}: {short}"

    def _lacks_labels(self, name: str, template: LoadedTemplate) -> str | None:
        (room,) = self._hosts.rooms((), [name])
        return None if _needs(template).admits(room) else f"{name} lacks labels that its template asks for"

    @override
    def placement(self, name: str, template: LoadedTemplate) -> Placement | None:
        """Return that all of it stands there, with room for as many collectors as anybody may choose."""
        needs = _needs(template)
        services = dict.fromkeys(needs.services, name)
        return Placement(services, name, needs.collectors, f"it was prepared on {name}")

    @override
    def to_give_way(
        self, held: Sequence[SessionRecord], records: Sequence[SessionRecord], around: Surroundings
    ) -> list[Drop]:
        """Return those without which sessions that wait for room find it; where that helps nobody, none.

        And one of each host whose memory runs short, until it shows what that one gave back.
        """
        drops = self._in_the_way(held, records, around) if around.wanting else []
        going = {drop.id for drop in drops}
        left = [record for record in held if record.id not in going]
        staying = {record.id for record in left}
        now = time.monotonic()
        for record in records:
            if _is_leaving(record, staying):
                self._left_at |= dict.fromkeys(stands_on(record), now)
        for name in self.names:
            if self.distrust(name) is not None:
                continue
            there = [record for record in left if name in stands_on(record)]
            available = self._hosts.named(name).available_since(self._left_at.get(name, -math.inf))
            if there and (short := _too_little(available, self._settings)) is not None:
                # It may be gone before the next look.
                self._left_at[name] = now
                drops.append(Drop(there[-1].id, DropCause.MEMORY, f"{name}: {short}"))
        return drops

    def _in_the_way(
        self, held: Sequence[SessionRecord], records: Sequence[SessionRecord], around: Surroundings
    ) -> list[Drop]:
        staying = {record.id for record in held}
        left = [record for record in records if not _is_leaving(record, staying)]
        prepared = [
            Prepared(record.id, name, Placement.from_json(record.placement).taken()[name])
            for record in reversed(held)
            if record.placement is not None
            for name in stands_on(record)
        ]
        chosen = giving_way(
            around.wanting, self._hosts.open_rooms(left), prepared, crosses=self._hosts.can_cross()
        )
        return [Drop(each, DropCause.ROOM, "a queued session needs its room") for each in chosen]


def _is_leaving(record: SessionRecord, staying: Iterable[UUID]) -> bool:
    """Return whether a prepared session is being removed, or is to be, so that its room counts as free."""
    return record.pool is PoolState.DROPPING or (
        record.pool in (PoolState.PREPARING, PoolState.READY) and record.id not in staying
    )


def _short_memory(available: int | None, template: LoadedTemplate, settings: Settings) -> str | None:
    """Return that a host lacks memory for one more prepared session beside what is to be spared."""
    needed = settings.pool_spare_memory + len(template.services) * TARGET_BYTES
    if available is None or available >= needed:
        return None
    return f"{available // MEBIBYTE} MiB of memory are available, {needed // MEBIBYTE} MiB are needed"


def _too_little(available: int | None, settings: Settings) -> str | None:
    """Return that a host has less memory left than is to be spared."""
    if available is None or available >= settings.pool_spare_memory:
        return None
    return f"only {available // MEBIBYTE} MiB of memory are available"


def _needs(template: LoadedTemplate) -> Needs:
    names = [service.name for service in template.services]
    return Needs(names, COLLECTORS_AT_ONCE, None, template.hosts)


def stands_on(record: SessionRecord) -> frozenset[str]:
    """Return the hosts that a session stands on."""
    return frozenset({ONE_HOST}) if record.placement is None else _hosts_of(record.placement)


@lru_cache(4096)
def _hosts_of(placement: str) -> frozenset[str]:
    return frozenset(Placement.from_json(placement).hosts)
