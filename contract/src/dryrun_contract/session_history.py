"""A session as its events describe it: the one fold of events, for reports, pages and the terminal.

What a session's template bounds is kept: phases, targets, collector runs. Discoveries have no such bound, so
each reader keeps what it needs of them, beside this or in a subclass.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from dryrun_contract.event import (
    AddressesMapped,
    BringUpSpan,
    BringUpTraced,
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
    SessionPlaced,
    SessionQueued,
    TargetChanged,
    TargetHarmed,
    TargetLogsMeasured,
    TargetState,
    TrafficMeasured,
)
from dryrun_contract.session import Outcome, Phase

LATEST_NOTICES = 50
WARNING_EXAMPLES = 3


@dataclass(slots=True)
class PhaseSpan:
    """A phase with its times; `ended_at` is None while it lasts."""

    phase: Phase
    started_at: datetime
    ended_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """The duration, once the phase is over."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


@dataclass(slots=True)
class Target:
    """A target container, from before it exists until after it is removed."""

    service: str
    image: str
    image_id: str | None = None
    """None until the container exists."""
    state: TargetState | Literal["planned"] = "planned"
    detail: str | None = None
    address: str | None = None
    host: str | None = None
    """The host that it stands on; None where there is only one."""
    was_healthy: bool = False
    harm: Literal["died", "unhealthy", "out_of_memory"] | None = None
    """Harm while collectors ran; it stays after the container is removed."""


@dataclass(slots=True)
class Run:
    """One run of a collector."""

    collector: str
    run: str
    started_at: datetime
    started: CollectorStarted | None = None
    """None when the event of its start was lost."""
    done: int = 0
    total: int | None = None
    message: str = ""
    discoveries: int = 0
    warnings: int = 0
    warning_examples: list[str] = field(default_factory=list)
    ended: CollectorEnded | None = None
    ended_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """The duration, once the run has ended."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None

    @property
    def is_whole(self) -> bool:
        """Whether it has ended with its end line and none of its output was cut."""
        return self.ended is not None and self.ended.complete and not self.ended.truncated


@dataclass(frozen=True, slots=True)
class Notice:
    """An event worth a person's attention, e.g. harm to a target or a collector's warning."""

    at: datetime
    level: Literal["note", "warning", "harm", "failure"]
    about: PhaseChanged | IsolationProbed | TargetHarmed | CollectorWarned | CollectorEnded


@dataclass
class SessionHistory:
    """The session after the events read so far. Texts are as reported: hostile until made inert."""

    started: SessionQueued | None = None
    phases: list[PhaseSpan] = field(default_factory=list)
    placement: SessionPlaced | None = None
    """None where there is only one host."""
    network: NetworkCreated | None = None
    isolation: IsolationProbed | None = None
    targets: dict[str, Target] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    """Address → service."""
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    """(collector, run) → run."""
    traffic: TrafficMeasured | None = None
    logs: TargetLogsMeasured | None = None
    bring_up: tuple[BringUpSpan, ...] = ()
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=LATEST_NOTICES))
    """The latest, newest last."""
    warnings: int = 0
    """All notices but notes, also those no longer kept."""
    outcome: Outcome | None = None
    reason: str | None = None
    seq: int = 0

    @property
    def phase(self) -> Phase | None:
        """The current phase; None before the first event."""
        return self.phases[-1].phase if self.phases else None

    @property
    def has_ended(self) -> bool:
        """Whether the session's last event was read."""
        return self.outcome is not None

    @property
    def was_cut_short(self) -> bool:
        """Whether the session ended before its scan: a scan's last event is the traffic that it measured."""
        return self.traffic is None and all(span.phase is not Phase.KEPT for span in self.phases)

    def read(self, event: Event) -> bool:
        """Apply `event` and return True; an event that is not newer than the last one changes nothing."""
        if event.seq <= self.seq:
            return False
        self.seq = event.seq
        self._read_session(event)
        self._read_network(event)
        self._read_target(event)
        self._read_collector(event)
        return True

    def end(self, outcome: Outcome, reason: str | None, at: datetime) -> None:
        """End the session; for the API's word on an end whose event was lost."""
        self._enter(Phase.ENDED, at)
        self.phases[-1].ended_at = at
        self.outcome, self.reason = outcome, reason

    def _read_session(self, event: Event) -> None:
        match event.data:
            case SessionQueued() as queued:
                self.started = queued
                self._enter(Phase.QUEUED, event.at)
            case PhaseChanged(phase=phase, reason=reason) as change:
                # The end comes as an event of its own, with the outcome.
                if phase is not Phase.ENDED:
                    self._enter(phase, event.at)
                if reason:
                    self._notify(Notice(event.at, "note", change))
            case SessionEnded(outcome=outcome, reason=reason):
                self.end(outcome, reason, event.at)
            case _:
                pass

    def _read_network(self, event: Event) -> None:
        match event.data:
            case SessionPlaced() as placement:
                self.placement = placement
            case NetworkCreated() as network:
                self.network = network
            case IsolationProbed() as probed:
                self.isolation = probed
                if not probed.isolated:
                    self._notify(Notice(event.at, "failure", probed))
            case TrafficMeasured() as traffic:
                self.traffic = traffic
            case BringUpTraced(spans=spans):
                self.bring_up = spans
            case TargetLogsMeasured() as logs:
                self.logs = logs
            case _:
                pass

    def _read_target(self, event: Event) -> None:
        match event.data:
            case TargetChanged(service=service, image=image, state=state) as changed:
                target = self.targets.setdefault(service, Target(service, image))
                target.image, target.image_id, target.host = image, changed.image_id, changed.host
                target.state, target.detail = state, changed.detail
                target.was_healthy |= state == "healthy"
            case AddressesMapped(addresses=addresses):
                self.addresses |= addresses
                for address, service in addresses.items():
                    if service in self.targets:
                        self.targets[service].address = address
            case TargetHarmed(service=service, harm=harm) as harmed:
                if service in self.targets:
                    self.targets[service].harm = harm
                self._notify(Notice(event.at, "harm", harmed))
            case _:
                pass

    def _read_collector(self, event: Event) -> None:
        match event.data:
            case CollectorStarted() as started:
                self._run(started, event.at).started = started
            case CollectorProgressed() as progress:
                run = self._run(progress, event.at)
                run.done, run.total, run.message = progress.done, progress.total, progress.message
            case DiscoveryReported() as found:
                self._run(found, event.at).discoveries += 1
            case CollectorWarned() as warned:
                run = self._run(warned, event.at)
                run.warnings += 1
                if len(run.warning_examples) < WARNING_EXAMPLES:
                    run.warning_examples.append(f"line {warned.line}: {warned.message}")
                self._notify(Notice(event.at, "warning", warned))
            case CollectorEnded() as ended:
                run = self._run(ended, event.at)
                run.ended, run.ended_at = ended, event.at
                # Its output was read once more as a whole: that count settles it.
                run.discoveries, run.warnings = ended.discoveries, ended.warnings
                if not run.is_whole:
                    self._notify(Notice(event.at, "warning", ended))
            case _:
                pass

    def _enter(self, phase: Phase, at: datetime) -> None:
        if self.phase is phase:
            return
        if self.phases:
            self.phases[-1].ended_at = at
        self.phases.append(PhaseSpan(phase, at))

    def _run(
        self,
        event: CollectorStarted | CollectorProgressed | DiscoveryReported | CollectorWarned | CollectorEnded,
        at: datetime,
    ) -> Run:
        return self.runs.setdefault(
            (event.collector, event.run), Run(event.collector, event.run, started_at=at)
        )

    def _notify(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.warnings += notice.level != "note"
