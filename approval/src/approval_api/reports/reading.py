"""What a session's events say, read once, in order."""

from dataclasses import dataclass, field
from datetime import datetime

from approval_api.reports import model
from approval_api.scoring.merging import Finding
from dryrun_contract.event import (
    AddressesMapped,
    CollectorEnded,
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
    TargetLogsMeasured,
    TrafficMeasured,
)
from dryrun_contract.session import Phase

WARNING_EXAMPLES = 3


@dataclass(slots=True)
class Run:
    """A collector run while its events are read."""

    started: CollectorStarted
    started_at: datetime
    discoveries: int = 0
    warnings: int = 0
    examples: list[str] = field(default_factory=list)
    ended: CollectorEnded | None = None
    ended_at: datetime | None = None

    def warn(self, message: str) -> None:
        """Count a warning, and keep the first ones."""
        self.warnings += 1
        if len(self.examples) < WARNING_EXAMPLES:
            self.examples.append(message)

    def result(self) -> model.CollectorRun:
        """Return the run as far as it was told."""
        ended = self.ended
        return model.CollectorRun(
            collector=self.started.collector,
            run=self.started.run,
            image=self.started.image,
            image_id=self.started.image_id,
            ended=ended is not None,
            complete=ended is not None and ended.complete,
            truncated=ended is not None and ended.truncated,
            discoveries=ended.discoveries if ended else self.discoveries,
            warnings=ended.warnings if ended else self.warnings,
            warning_examples=tuple(self.examples),
            lines=ended.lines if ended else None,
            exit_code=ended.exit_code if ended else None,
            reason=ended.reason if ended else None,
            seconds=(self.ended_at - self.started_at).total_seconds() if self.ended_at else None,
            config_digest=self.started.config_digest,
            purpose=self.started.purpose,
        )


@dataclass(slots=True)
class Reading:
    """What the events said so far."""

    phases: list[tuple[str, datetime]] = field(default_factory=list)
    ended_at: datetime | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    images: dict[str, model.TargetImage] = field(default_factory=dict)
    harmed: list[model.Harm] = field(default_factory=list)
    traffic: TrafficMeasured | None = None
    logs: TargetLogsMeasured | None = None
    subnet: str | None = None
    isolation: model.Isolation | None = None

    def read(self, event: Event) -> None:
        """Take in one event."""
        self._read_session(event)
        self._read_targets(event)
        self._read_collectors(event)

    def _read_session(self, event: Event) -> None:
        match event.data:
            case SessionQueued():
                self.phases.append((Phase.QUEUED, event.at))
            case PhaseChanged(phase=phase) if phase is not Phase.ENDED:
                if not self.phases or self.phases[-1][0] != phase:
                    self.phases.append((phase, event.at))
            case SessionEnded():
                self.ended_at = event.at
            case NetworkCreated(subnet=subnet):
                self.subnet = subnet
            case IsolationProbed(isolated=isolated, detail=detail):
                self.isolation = model.Isolation(isolated=isolated, detail=detail)
            case _:
                pass

    def _read_targets(self, event: Event) -> None:
        match event.data:
            case AddressesMapped(addresses=addresses):
                self.addresses |= addresses
            case TargetChanged(service=service, image=image, image_id=image_id):
                self.images[service] = model.TargetImage(service=service, image=image, image_id=image_id)
            case TargetHarmed() as harm:
                self.harmed.append(model.Harm(**harm.model_dump(exclude={"type"}), at=event.at))
            case TrafficMeasured() as traffic:
                self.traffic = traffic
            case TargetLogsMeasured() as logs:
                self.logs = logs
            case _:
                pass

    def _read_collectors(self, event: Event) -> None:
        match event.data:
            case CollectorStarted() as started:
                self.runs[started.collector, started.run] = Run(started, event.at)
            case DiscoveryReported() as said:
                self.findings.append(Finding(said.collector, said.discovery))
                if run := self.runs.get((said.collector, said.run)):
                    run.discoveries += 1
            case CollectorWarned() as warned:
                if run := self.runs.get((warned.collector, warned.run)):
                    run.warn(f"line {warned.line}: {warned.message}")
            case CollectorEnded() as ended:
                if run := self.runs.get((ended.collector, ended.run)):
                    run.ended, run.ended_at = ended, event.at
            case _:
                pass

    def counted(self) -> list[Finding]:
        """Return the findings of all collectors but those for comparison."""
        beside = {run.started.collector for run in self.runs.values() if run.started.purpose == "comparison"}
        return [finding for finding in self.findings if finding.collector not in beside]

    def durations(self) -> tuple[model.PhaseDuration, ...]:
        """Return how long each phase took."""
        ends: list[datetime | None] = [started for _, started in self.phases[1:]]
        ends.append(self.ended_at)
        return tuple(
            model.PhaseDuration(
                phase=phase,
                started_at=started,
                seconds=(end - started).total_seconds() if end is not None else None,
            )
            for (phase, started), end in zip(self.phases, ends, strict=False)
        )
