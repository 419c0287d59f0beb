"""A session's report as data; the Markdown renderer and the criteria read nothing else."""

from typing import Literal

from approval_api.reports.verdict import Verdict
from approval_api.scores import Scores
from approval_api.sessions.schemas import SessionView
from dryrun_contract.base import UtcTime, Word
from dryrun_contract.event import TargetTraffic


class PhaseDuration(Word):
    """How long the session was in a phase; `seconds` is None while it is."""

    phase: str
    started_at: UtcTime
    seconds: float | None


class Harm(Word):
    """A target that died or turned unhealthy while collectors ran."""

    service: str
    harm: str
    during: tuple[str, ...]
    detail: str
    at: UtcTime


class Traffic(Word):
    """What the scan sent to its targets."""

    targets: dict[str, TargetTraffic]
    peak_packets_per_second: float
    sampling_seconds: float


class CollectorRun(Word):
    """One run of one collector."""

    collector: str
    run: str
    image: str
    image_id: str
    ended: bool
    complete: bool
    truncated: bool
    discoveries: int
    """Lines that were discoveries; the same thing told twice counts twice."""
    warnings: int
    warning_examples: tuple[str, ...]
    lines: int | None
    exit_code: int | None
    reason: str | None
    seconds: float | None


class TargetImage(Word):
    """Which image, by digest, a target was."""

    service: str
    image: str
    image_id: str


class Isolation(Word):
    """What the probe inside the session's network found."""

    isolated: bool
    detail: str


class ReportTemplate(Word):
    """Which template, in which version and variant."""

    id: str
    title: str | None
    digest: str
    seed: int


class Report(Word):
    """Everything a decision needs. Texts that come from targets stand here as they were said."""

    version: Literal[1] = 1
    final: bool
    """The session has ended; before that, figures may still change."""
    scan_over: bool
    """All collectors have ended; scores will not change any more."""
    session: SessionView
    verdict: Verdict | None
    """None when no criteria were given."""
    scores: Scores | None
    scores_missing: str | None
    """Why there are no scores."""
    harmed: tuple[Harm, ...]
    phases: tuple[PhaseDuration, ...]
    traffic: Traffic | None
    collectors: tuple[CollectorRun, ...]
    images: tuple[TargetImage, ...]
    template: ReportTemplate
    isolation: Isolation | None
    history_complete: bool
    """False when events of this session were lost to this API (it was away for too long)."""
