"""A session's report as data; renderers and criteria read nothing else."""

from typing import Literal

from pydantic import Field

from approval_api.reports.verdict import Verdict
from approval_api.scoring.scores import CollectorScores, Scores
from approval_api.sessions.schemas import SessionView
from dryrun_contract.base import UtcTime, Word
from dryrun_contract.event import Purpose, TargetLogs, TargetTraffic, TrafficOfCollectors


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
    by_collectors: tuple[TrafficOfCollectors, ...] = ()


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
    config_digest: str | None = None
    """Over what its behaviour depends on; a production run can be held to it."""
    purpose: Purpose = "discovery"
    """What one for comparison finds counts in its own scores only."""


class TargetImage(Word):
    """Which image, by digest, a target was."""

    service: str
    image: str
    image_id: str


class Isolation(Word):
    """What the probe inside the session's network found."""

    isolated: bool
    detail: str


class Scope(Word):
    """Whether the scan stayed inside its network, as far as that can be known."""

    subnet: str | None
    kept: bool | None
    """None when nothing was probed or nothing ran."""
    outside: tuple[str, ...]
    """Keys of what collectors told of addresses outside the network."""
    detail: str


type PlaceState = Literal["found", "wrong", "missed", "not_evaluable", "invented"]


class MapPlace(Word):
    """One service of a host on the drawing, with how much inside it is true or told."""

    place: str
    """Port and transport, e.g. `5432/tcp`."""
    label: str
    """Product and version, as far as told."""
    state: PlaceState
    hard: bool = False
    inside: dict[str, int] = Field(default_factory=dict)
    """Kind → how many lie in it."""


class MapHost(Word):
    """One host on the drawing."""

    name: str
    """The service's name; the address where there is none."""
    address: str | None
    state: PlaceState
    places: tuple[MapPlace, ...]


class NetworkMap(Word):
    """The network twice: as it is, and as the collectors told it."""

    truth: tuple[MapHost, ...]
    found: tuple[MapHost, ...]


class ForecastLine(Word):
    """One figure of the forecast; None where nothing was measured to reckon from."""

    name: str
    unit: str
    expected: float | None
    low: float | None
    high: float | None
    basis: str
    """What it was reckoned from."""


class Forecast(Word):
    """What the same collectors would do to a larger network, by rule of three from this session."""

    hosts: int
    cidr: str
    addresses: int
    lines: tuple[ForecastLine, ...]
    assumptions: tuple[str, ...]


class NotRehearsed(Word):
    """Something that no dry-run here can tell about."""

    what: str
    why: str


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
    collector_scores: tuple[CollectorScores, ...] = ()
    """Each collector as if it had been alone."""
    harmed: tuple[Harm, ...]
    phases: tuple[PhaseDuration, ...]
    traffic: Traffic | None
    logs: dict[str, TargetLogs] | None = None
    """What the scan left in the targets' logs; None when they were not read."""
    collectors: tuple[CollectorRun, ...]
    images: tuple[TargetImage, ...]
    template: ReportTemplate
    isolation: Isolation | None
    scope: Scope | None = None
    network: NetworkMap | None = None
    forecast: Forecast | None = None
    not_rehearsed: tuple[NotRehearsed, ...] = ()
    history_complete: bool
    """False when events of this session were lost to this API (it was away for too long)."""
    left_out: int = 0
    """Discoveries and other events beyond what one report takes; figures are of the others."""

    def for_comparison(self) -> frozenset[str]:
        """Return the collectors whose findings count in their own scores only."""
        return frozenset(run.collector for run in self.collectors if run.purpose == "comparison")
