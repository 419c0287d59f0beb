"""The hosts that sessions run on: one, or those of the fleet file. Composed once at the start."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from dryrun_contract.session import Phase
from dryrun_contract.text import printable
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.fleet.engine import FleetEngine, one_of_fleet
from dryrun_orchestrator.fleet.fleet_file import FleetFile, FleetFileError, read_fleet_file
from dryrun_orchestrator.fleet.placement import Needs, Placement, Room, place
from dryrun_orchestrator.hosts.host import Host
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.context import IsolationProof
from dryrun_orchestrator.session.crossing import CrossingIsolation
from dryrun_orchestrator.session.isolation import ApprovedImages, Isolation, Verdict
from dryrun_orchestrator.session.preflight import Preflight
from dryrun_orchestrator.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ground:
    """What one session stands on."""

    engine: Engine
    isolation: IsolationProof
    preflight: Preflight
    lost_host: Callable[[], str | None]
    silent_host: Callable[[float], str | None] = lambda _: None
    """Returns which host was silent at a monotonic time or later, where the session crosses hosts."""


class Hosts:
    """All hosts of one orchestrator."""

    def __init__(
        self,
        hosts: Iterable[Host],
        images: ApprovedImages,
        settings: Settings,
        fleet: FleetFile | None = None,
    ) -> None:
        self.all = tuple(hosts)
        self.fleet = fleet
        self._by_name = {host.name: host for host in self.all}
        self._images = images
        self._settings = settings
        self._file_fault: str | None = None
        self._waits_for_start = False
        """Whether the file says something else than when it was read at the start, `drained` apart."""
        self._emptied: dict[UUID, frozenset[str]] = {}
        """Hosts without a container of a session that another host keeps in cleanup."""
        self.last_crossing: Verdict | None = None
        """The last proof that hosts reach each other, of any session of this process."""

    @property
    def only(self) -> Host:
        """Return the first host: the only one where there is no fleet."""
        return self.all[0]

    @property
    def in_use(self) -> list[Host]:
        """Return all hosts but the drained ones."""
        drained = self.fleet.drained if self.fleet is not None else frozenset()
        return [host for host in self.all if host.name not in drained]

    def named(self, name: str) -> Host:
        """Return the host of this name. Raises KeyError for one that the file does not name."""
        return self._by_name[name]

    @property
    def is_encrypted(self) -> bool:
        """Return whether what crosses hosts is encrypted."""
        return self.fleet is not None and self.fleet.encrypted

    @property
    def fault(self) -> str | None:
        """Return why no session can start; None when one can, on one host at least."""
        obstacles = {host.name: host.fault for host in self.all}
        if None in obstacles.values():
            return None
        return "; ".join(f"{name}: {fault}" if name else str(fault) for name, fault in obstacles.items())

    def ground_of(self, placement: Placement | None) -> Ground:
        """Return what a session of this placement stands on."""
        if placement is None or self.fleet is None:
            only = self.only
            return Ground(only.engine, only.isolation, only.preflight, lambda: None)
        hosts = [self._by_name[name] for name in placement.hosts if name in self._by_name]
        gone = [name for name in placement.hosts if name not in self._by_name]
        if len(hosts) == 1 and not placement.is_spread:
            (host,) = hosts
            return Ground(host.engine, host.isolation, host.preflight, lambda: _lost(hosts, gone))
        engines = {host.name: host.own_engine for host in hosts}
        return Ground(
            FleetEngine(engines, self._managers_in_turn, placement=placement, encrypted=self.fleet.encrypted),
            CrossingIsolation(
                {host.name: (host.engine, host.isolation) for host in hosts},
                self._images,
                self._settings,
                self._note_crossing,
            ),
            Preflight(*(host.engine for host in hosts)),
            lambda: _lost(hosts, gone),
            lambda began: _silent(hosts, began) or _silent_managers(self._managers, began),
        )

    def place(self, needs: Needs, records: Iterable[SessionRecord]) -> Placement | None:
        """Return where a session can stand now, beside those of `records`; None when it has to wait."""
        return place(needs, self.open_rooms(records), crosses=self.can_cross())

    def open_rooms(self, records: Iterable[SessionRecord]) -> list[Room]:
        """Return what the sessions of `records` leave of the hosts that take new sessions now."""
        return self.rooms(records, self._usable())

    def why_never(self, needs: Needs) -> str | None:
        """Return why a session fits on no fleet of these hosts, however empty; None when it does."""
        if place(needs, self.rooms((), {host.name for host in self.all})) is not None:
            return None
        rooms = [room for room in self.rooms((), self._by_name) if needs.admits(room)]
        found = ", ".join(f"{room.host} {room.containers}" for room in rooms)
        wanted = ", ".join(f"{key}={value}" for key, value in needs.labels.items())
        return (
            f"it needs room for {needs.containers} containers at once, and the hosts"
            f"{f' with {wanted}' if wanted else ''} have: {found or 'none'}"
        )

    def could_fit(self, needs: Needs) -> bool:
        """Return whether a session fits on the hosts that can be used now, once they are empty."""
        return self.place(needs, ()) is not None

    def why_not_yet(self, needs: Needs) -> str:
        """Return what a session waits for that does not fit on the hosts that take sessions now."""
        if place(needs, self.rooms((), self._usable())) is not None:
            return (
                "waiting for a swarm: it fits on several hosts together only, and no manager's swarm answers"
            )
        closed = [room.host for room in self.rooms((), self._by_name) if needs.admits(room)]
        drained = self.fleet.drained if self.fleet is not None else frozenset()
        said = [f"{name} is drained" for name in closed if name in drained]
        away = [name for name in closed if name not in drained and self.named(name).obstacle is not None]
        said += [f"{name} takes no session (the overview has the reason)" for name in away]
        return f"waiting for a host that it fits on: {', '.join(said)}"

    def reread(self) -> None:
        """Take in which hosts the file drains now; its other changes apply at the next start.

        A faulty file changes nothing.
        """
        if self.fleet is None or self._settings.fleet is None:
            return
        try:
            found = read_fleet_file(self._settings.fleet)
        except FleetFileError as error:
            if str(error) != self._file_fault:
                log.warning("the drained hosts stay as they were: %s", printable(str(error), limit=1000))
            self._file_fault = str(error)
            return
        self._file_fault = None
        drained = found.drained
        if (waits := replace(found, drained=self.fleet.drained) != self.fleet) and not self._waits_for_start:
            log.warning("the fleet file has changed: what it says beside drained applies at the next start")
        self._waits_for_start = waits
        if drained != self.fleet.drained:
            log.info("drained hosts: %s", ", ".join(sorted(drained)) or "none")
            self.fleet = replace(self.fleet, drained=drained)

    def note_emptied(self, session_id: UUID, hosts: Iterable[str]) -> None:
        """Give back the room of a session in cleanup on hosts that hold no container of it any more."""
        self._emptied = {id_: each for id_, each in self._emptied.items() if id_ != session_id}
        if emptied := frozenset(hosts):
            self._emptied[session_id] = emptied

    async def close(self) -> None:
        """Close every connection."""
        for host in self.all:
            await host.engine.close()

    def rooms(self, records: Iterable[SessionRecord], usable: Iterable[str]) -> list[Room]:
        """Return what the sessions of `records` leave of hosts, in the file's order."""
        if self.fleet is None:
            return []
        containers: Counter[str] = Counter()
        sessions: Counter[str] = Counter()
        for record in records:
            if record.placement is not None and record.phase is not Phase.ENDED:
                placement = Placement.from_json(record.placement)
                emptied = self._emptied.get(record.id, frozenset())
                containers += Counter({k: v for k, v in placement.taken().items() if k not in emptied})
                # Its network may still be there, which guards count.
                sessions += Counter(placement.hosts)
        usable = set(usable)
        return [
            Room(
                host.name,
                host.containers - containers[host.name],
                host.sessions - sessions[host.name],
                host.labels,
            )
            for host in self.fleet.hosts.values()
            if host.name in usable
        ]

    def _note_crossing(self, verdict: Verdict) -> None:
        self.last_crossing = verdict

    @property
    def _managers(self) -> list[Host]:
        return [] if self.fleet is None else [self._by_name[name] for name in self.fleet.managers]

    def _managers_in_turn(self) -> dict[str, Engine]:
        """Return the engines of the managers whose swarm answered a moment ago; of all, when none did."""
        managing = [host for host in self._managers if host.manages]
        return {host.name: host.own_engine for host in managing or self._managers}

    def can_cross(self) -> bool:
        """Return whether overlays can be made now: whether a manager's swarm answers."""
        return self.fleet is None or any(host.manages for host in self._managers)

    @property
    def why_none_crosses(self) -> str | None:
        """Return why no manager can make overlays; None when one can."""
        if self.can_cross():
            return None
        return "; ".join(f"{host.name}: {host.manager_fault or 'no answer'}" for host in self._managers)

    def _usable(self) -> set[str]:
        drained = self.fleet.drained if self.fleet is not None else frozenset()
        return {host.name for host in self.all if host.obstacle is None and host.name not in drained}


def _lost(hosts: Iterable[Host], gone: Sequence[str]) -> str | None:
    if gone:
        return f"host {gone[0]} is no longer in the fleet's file"
    for host in hosts:
        if host.is_lost:
            return f"host {host.name} is lost: it has not answered for {host.silent_seconds:.0f} s"
    return None


def _silent(hosts: Iterable[Host], began: float) -> str | None:
    for host in hosts:
        if (seconds := host.silence_since(began)) is not None:
            return f"host {host.name} did not answer for {seconds:.0f} s"
    return None


def _silent_managers(managers: Sequence[Host], began: float) -> str | None:
    """Return that no manager was spared: one that answers keeps the others' sessions going."""
    silent = [said for host in managers if (said := _silent([host], began)) is not None]
    return silent[0] if len(silent) == len(managers) else None


def one_host(engine: Engine, isolation: Isolation, images: ApprovedImages, settings: Settings) -> Hosts:
    """Return the one host at `docker_host`."""
    return Hosts([Host("", engine, engine, isolation, Preflight(engine))], images, settings)


def hosts_of_fleet(fleet: FleetFile, images: ApprovedImages, settings: Settings, owner: UUID) -> Hosts:
    """Return the hosts of a fleet file, each behind its guard. Raises ValueError for bad certificates."""
    hosts = []
    for entry in fleet.hosts.values():
        own_engine = DockerEngine(entry.guard, cert_path=entry.certificates)
        engine = one_of_fleet(entry.name, own_engine, fleet.managers)
        isolation = Isolation(engine, images, settings, owner)
        is_manager = entry.name in fleet.managers
        hosts.append(Host(entry.name, own_engine, engine, isolation, Preflight(engine), is_manager))
    return Hosts(hosts, images, settings, fleet)
