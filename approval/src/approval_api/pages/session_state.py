"""What a session's page shows, folded from its events; the live page and the record read the same."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from approval_api.pages.words import gist
from approval_api.scoring.naming import name_place
from dryrun_contract.event import (
    AddressesMapped,
    CollectorEnded,
    CollectorProgressed,
    CollectorStarted,
    CollectorWarned,
    DiscoveryReported,
    Event,
    IsolationProbed,
    NetworkCreated,
    PhaseChanged,
    SessionEnded,
    SessionQueued,
    TargetChanged,
    TargetHarmed,
    TrafficMeasured,
)
from dryrun_contract.kinds import KINDS
from dryrun_contract.session import Phase
from dryrun_contract.template import Template

ARRIVALS = 500
"""That many of the newest discoveries stand on the page; the list has them all."""
_NOTES = 50
OTHER_KINDS = "of other kinds"
"""All that no collector of ours knows are counted as one: a hostile one invents a kind for each discovery."""


@dataclass(slots=True)
class Target:
    """A container of the simulated network, from before it exists until after it is gone."""

    service: str
    image: str
    state: str = "planned"
    detail: str | None = None
    address: str | None = None
    was_healthy: bool = False
    harm: str | None = None


@dataclass(slots=True)
class Run:
    """One run of a collector."""

    collector: str
    started_at: datetime
    done: int = 0
    total: int | None = None
    message: str = ""
    discoveries: int = 0
    warnings: int = 0
    ended: CollectorEnded | None = None
    ended_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long it took, once it has ended."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A discovery as it arrived: what is shown of it, since all of it may be large."""

    seq: int
    at: datetime
    collector: str
    key: str
    kind: str
    gist: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that people should know: a warning of a collector, or harm to a target."""

    at: datetime
    grave: bool
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One phase in the pipeline."""

    phase: str
    state: str
    """`done`, `now`, `ahead`, `skipped` or `failed`."""
    started_at: datetime | None = None
    seconds: float | None = None


@dataclass(slots=True)
class SessionState:
    """Everything but the session's own row. `read` takes events in their order."""

    planned: tuple[str, ...] = ()
    """Collectors of the template, in their order."""
    targets: dict[str, Target] = field(default_factory=dict)
    phases: list[tuple[str, datetime]] = field(default_factory=list)
    ended_at: datetime | None = None
    network: NetworkCreated | None = None
    isolation: IsolationProbed | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=ARRIVALS))
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=_NOTES))
    notes_count: int = 0
    traffic: TrafficMeasured | None = None
    seq: int = 0

    @classmethod
    def of(cls, template: Template | None) -> "SessionState":
        """Begin with what the template plans."""
        if template is None:
            return cls()
        return cls(
            planned=template.collectors,
            targets={service.name: Target(service.name, service.image) for service in template.services},
        )

    @property
    def has_ended(self) -> bool:
        """Tell whether the last event was read."""
        return self.ended_at is not None

    def read(self, event: Event) -> None:
        """Take in one event; one that was read before changes nothing."""
        if event.seq <= self.seq:
            return
        self.seq = event.seq
        self._read_session(event)
        self._read_target(event)
        self._read_collector(event)

    def _read_session(self, event: Event) -> None:
        match event.data:
            case SessionQueued():
                self.phases.append((Phase.QUEUED, event.at))
            case PhaseChanged(phase=phase) if phase is not Phase.ENDED:
                if not self.phases or self.phases[-1][0] != phase:
                    self.phases.append((phase, event.at))
            case NetworkCreated() as network:
                self.network = network
            case IsolationProbed() as isolation:
                self.isolation = isolation
            case TrafficMeasured() as traffic:
                self.traffic = traffic
            case SessionEnded():
                self.ended_at = event.at
            case _:
                pass

    def _read_target(self, event: Event) -> None:
        match event.data:
            case TargetChanged(service=service, image=image, state=state, detail=detail):
                target = self.targets.setdefault(service, Target(service, image))
                target.image, target.state, target.detail = image, state, detail
                target.was_healthy |= state == "healthy"
            case AddressesMapped(addresses=addresses):
                self.addresses |= addresses
                for address, service in addresses.items():
                    if service in self.targets:
                        self.targets[service].address = address
            case TargetHarmed(service=service, harm=harm, detail=detail, during=during):
                if service in self.targets:
                    self.targets[service].harm = harm
                by = f" while {' and '.join(during)} ran" if during else ""
                self._note(Note(event.at, True, service, f"{harm.replace('_', ' ')}{by}: {detail}"))
            case _:
                pass

    def _read_collector(self, event: Event) -> None:
        match event.data:
            case CollectorStarted(collector=collector, run=name):
                self.runs[collector, name] = Run(collector, event.at)
            case CollectorProgressed(collector=collector, run=name) as told:
                if run := self.runs.get((collector, name)):
                    run.done, run.total, run.message = told.done, told.total, told.message
            case DiscoveryReported(collector=collector, run=name, discovery=discovery):
                self.found[discovery.kind if discovery.kind in KINDS else OTHER_KINDS] += 1
                key = name_place(discovery.key, self.addresses).key
                shown = gist(discovery.data)
                self.arrivals.append(Arrival(event.seq, event.at, collector, key, discovery.kind, shown))
                if run := self.runs.get((collector, name)):
                    run.discoveries += 1
            case CollectorWarned(collector=collector, run=name, line=line, message=message):
                self._note(Note(event.at, False, collector, f"line {line}: {message}"))
                if run := self.runs.get((collector, name)):
                    run.warnings += 1
            case CollectorEnded(collector=collector, run=name) as ended:
                if run := self.runs.get((collector, name)):
                    run.ended, run.ended_at = ended, event.at
            case _:
                pass

    def _note(self, note: Note) -> None:
        self.notes.append(note)
        self.notes_count += 1

    def waiting_collectors(self) -> tuple[str, ...]:
        """Return the planned collectors that have not started."""
        started = {run.collector for run in self.runs.values()}
        return tuple(name for name in self.planned if name not in started)

    def steps(self, *, keep: bool, phase: str, outcome: str | None) -> tuple[Step, ...]:
        """Return the pipeline. `kept` stands in it only when it was asked for, or came."""
        begun = dict(self.phases)
        order = [
            name
            for name in Phase
            if name is not Phase.ENDED and (name != Phase.KEPT or keep or name in begun)
        ]
        started = [at for _, at in self.phases] + ([self.ended_at] if self.ended_at else [])
        follows = dict(zip(begun, started[1:], strict=False))
        last = next((name for name, _ in reversed(self.phases) if name != Phase.CLEANING_UP), None)
        steps = []
        for name in order:
            at = begun.get(name)
            end = follows.get(name)
            if at is None:
                state = "skipped" if Phase.CLEANING_UP in begun or phase == "ended" else "ahead"
            elif name == phase and phase != "ended":
                state = "now"
            else:
                state = "failed" if outcome == "failed" and name == last else "done"
            steps.append(Step(name, state, at, (end - at).total_seconds() if at and end else None))
        steps.append(Step(Phase.ENDED, "done" if phase == "ended" else "ahead", self.ended_at))
        return tuple(steps)
