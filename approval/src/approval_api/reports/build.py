"""Builds a report from stored events alone, reading them once, in order."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from approval_api.merging import Finding
from approval_api.reports import model
from approval_api.scoring import score
from approval_api.sessions.repository import StoredSession
from dryrun_contract.event import (
    AddressesMapped,
    CollectorEnded,
    CollectorStarted,
    CollectorWarned,
    DiscoveryReported,
    Event,
    IsolationProbed,
    PhaseChanged,
    SessionEnded,
    SessionQueued,
    TargetChanged,
    TargetHarmed,
    TrafficMeasured,
)
from dryrun_contract.session import Phase

WARNING_EXAMPLES = 3
_BEFORE_THE_END_OF_SCANNING = frozenset(
    {"requested", Phase.QUEUED, Phase.PROVISIONING, Phase.WAITING, Phase.SCANNING}
)


@dataclass(slots=True)
class _Run:
    """A collector run while its events are read."""

    started: CollectorStarted
    started_at: datetime
    discoveries: int = 0
    warnings: int = 0
    examples: list[str] = field(default_factory=list)
    ended: CollectorEnded | None = None
    ended_at: datetime | None = None

    def warn(self, message: str) -> None:
        self.warnings += 1
        if len(self.examples) < WARNING_EXAMPLES:
            self.examples.append(message)

    def result(self) -> model.CollectorRun:
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
        )


@dataclass(slots=True)
class _Reading:
    """What the events said so far."""

    phases: list[tuple[str, datetime]] = field(default_factory=list)
    ended_at: datetime | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    runs: dict[tuple[str, str], _Run] = field(default_factory=dict)
    images: dict[str, model.TargetImage] = field(default_factory=dict)
    harmed: list[model.Harm] = field(default_factory=list)
    traffic: TrafficMeasured | None = None
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
            case _:
                pass

    def _read_collectors(self, event: Event) -> None:
        match event.data:
            case CollectorStarted() as started:
                self.runs[started.collector, started.run] = _Run(started, event.at)
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


async def build(stored: StoredSession, events: AsyncIterator[Event]) -> model.Report:
    """Return the report of a session from all its `events`, oldest first."""
    reading = _Reading()
    async for event in events:
        reading.read(event)
    view = stored.view
    runs = tuple(run.result() for run in reading.runs.values())
    missing = _why_no_scores(stored, reading)
    template = stored.template
    scores = None
    if template is not None and missing is None:
        # 20,000 findings take half a second, in which event streams shall go on.
        scores = await asyncio.to_thread(
            score, template.ground_truth.facts, reading.findings, reading.addresses
        )
    traffic = reading.traffic
    return model.Report(
        final=view.phase == Phase.ENDED,
        scan_over=view.phase not in _BEFORE_THE_END_OF_SCANNING,
        session=view,
        verdict=None,
        scores=scores,
        scores_missing=missing,
        harmed=tuple(reading.harmed),
        phases=reading.durations(),
        traffic=model.Traffic(**traffic.model_dump(exclude={"type"})) if traffic else None,
        collectors=runs,
        images=tuple(image for _, image in sorted(reading.images.items())),
        template=model.ReportTemplate(
            id=view.template,
            title=template.title if template else None,
            digest=view.template_digest,
            seed=view.seed,
        ),
        isolation=reading.isolation,
        history_complete=stored.history_complete,
    )


def _why_no_scores(stored: StoredSession, reading: _Reading) -> str | None:
    if stored.template is None:
        return "the session was not started by this API, so its ground truth was not stored"
    if not reading.runs:
        return "no collector has run"
    return None
