"""A session's report: written by the approval API, read by its renderers, the command line and collectors."""

from operator import not_
from typing import Annotated, Literal

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.event import (
    BringUpSpan,
    LogPattern,
    Purpose,
    TargetLogs,
    TargetTraffic,
    TrafficOfCollectors,
)
from dryrun_contract.network_forecast import NetworkForecast
from dryrun_contract.observation import Observation
from dryrun_contract.scores import CollectorScores, Scores
from dryrun_contract.session import Phase, SessionView
from dryrun_contract.template import StandsFor

VERSION = 2
"""Raised when a field changes its meaning or disappears, or a closed list of values grows.

New optional fields do not raise it: readers ignore fields that they do not know.
"""

type CriterionStatus = Literal["passed", "failed", "not_measured"]


class CriterionResult(Word):
    """The result of one criterion. What could not be measured did not pass."""

    criterion: str
    status: CriterionStatus
    limit: float | bool
    measured: float | bool | None
    detail: str


class Verdict(Word):
    """The result of all criteria: passed only when every one did."""

    passed: bool
    results: tuple[CriterionResult, ...]
    criteria: str | None = None
    """Name of the stored criteria; None for a client's own."""


class PhaseDuration(Word):
    """The duration of a phase; `seconds` is None while it lasts."""

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
    """The traffic of the scan."""

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
    """Lines that were discoveries; a thing reported twice counts twice."""
    warnings: int
    warning_examples: tuple[str, ...]
    lines: int | None
    exit_code: int | None
    reason: str | None
    seconds: float | None
    config_digest: str | None = None
    """Digest of the configuration; a production run is compared with it (`configuration_digest`)."""
    purpose: Purpose = "discovery"
    """Discoveries of a collector for comparison count in its own scores only."""
    claims: dict[str, tuple[str, ...]] | None = None
    """Kinds, with scored attributes, that its manifest says it reports; None when it says nothing of that."""


class TargetImage(Word):
    """The image of a target, by digest."""

    service: str
    image: str
    image_id: str
    host: str | None = None
    """The host that it stood on; None where there is only one."""


class Placement(Word):
    """Where the session stood, in a fleet of several hosts."""

    collectors: str
    """The host on which collectors ran."""
    encrypted: bool | None
    """Whether traffic between the hosts was encrypted; None for a session on one host."""
    reason: str


class Isolation(Word):
    """The result of the probe inside the session's network."""

    isolated: bool
    detail: str


class Scope(Word):
    """Whether the scan stayed inside its network, as far as that can be known."""

    subnet: str | None
    kept: bool | None
    """None when nothing was probed or nothing ran."""
    outside: tuple[str, ...]
    """Keys of discoveries at addresses outside the network."""
    detail: str


type PlaceState = Literal["found", "wrong", "missed", "not_evaluable", "false_positive"]


class MapPlace(Word):
    """One service of a host on the network map, with the number of things inside it."""

    place: str
    """Port and transport, e.g. `5432/tcp`."""
    label: str
    """Product and version, as far as known."""
    state: PlaceState
    hard: bool = False
    inside: dict[str, int] = Field(default_factory=dict)
    """Kind → how many lie in it."""


class MapHost(Word):
    """One host on the network map."""

    name: str
    """The service's name; the address where there is none."""
    address: str | None
    state: PlaceState
    places: tuple[MapPlace, ...]


class NetworkMap(Word):
    """The network twice: as it is, and as the collectors reported it."""

    truth: tuple[MapHost, ...]
    found: tuple[MapHost, ...]


class ForecastLine(Word):
    """One figure of the forecast; None where the session measured nothing to extrapolate from."""

    name: str
    unit: str
    expected: float | None
    low: float | None
    high: float | None
    basis: str
    """The measurement it is extrapolated from."""
    at_least: Annotated[bool, Field(exclude_if=not_)] = False
    """A log that was counted was not read to its end: there may be more than expected."""


class Forecast(Word):
    """What the same collectors would do to a larger network, extrapolated from this session."""

    hosts: int
    cidr: str
    addresses: int
    lines: tuple[ForecastLine, ...]
    assumptions: tuple[str, ...]


class NotRehearsed(Word):
    """Something that a dry-run cannot show."""

    what: str
    why: str


class ReportTemplate(Word):
    """The template, with its version and variant."""

    id: str
    title: str | None
    digest: str
    seed: int
    stands_for: StandsFor | None = None
    """The real network, for a template made from an inventory."""


class Report(Word):
    """Everything a decision needs. Texts of targets and collectors are as reported: hostile until inert."""

    version: Literal[2]
    final: bool
    """The session has ended; before that, figures may still change."""
    scan_over: bool
    """All collectors have ended; scores no longer change."""
    session: SessionView
    verdict: Verdict | None
    """None when no criteria were given."""
    scores: Scores | None
    scores_missing: str | None
    """Why there are no scores."""
    collector_scores: tuple[CollectorScores, ...] = ()
    """The scores of each collector alone."""
    harmed: tuple[Harm, ...]
    phases: tuple[PhaseDuration, ...]
    bring_up: tuple[BringUpSpan, ...] = ()
    """The steps until every target was ready; empty from an older orchestrator."""
    traffic: Traffic | None
    logs: dict[str, TargetLogs] | None = None
    """What the scan left in the targets' logs; None when no log was read."""
    collectors: tuple[CollectorRun, ...]
    images: tuple[TargetImage, ...]
    template: ReportTemplate
    isolation: Isolation | None
    placement: Placement | None = None
    """None where there is only one host."""
    scope: Scope | None = None
    network: NetworkMap | None = None
    forecast: Forecast | None = None
    network_forecast: NetworkForecast | None = None
    """Forecast for the real network, where the template stands for one."""
    observation: Observation | None = None
    """What that forecast was computed from; forecasts from several sessions take it from each report."""
    not_rehearsed: tuple[NotRehearsed, ...] = ()
    history_complete: bool
    """False when the API missed events of this session because it was down for too long."""
    left_out: int = 0
    """Events beyond the limit of one report; figures cover the others."""

    def for_comparison(self) -> frozenset[str]:
        """Return the collectors whose findings count in their own scores only."""
        return frozenset(run.collector for run in self.collectors if run.purpose == "comparison")

    def scan_seconds(self) -> float | None:
        """Return how long scanning took; None while that is not known."""
        scanning = [phase.seconds for phase in self.phases if phase.phase == Phase.SCANNING]
        known = [seconds for seconds in scanning if seconds is not None]
        return sum(known) if known and len(known) == len(scanning) else None

    def packets(self) -> int | None:
        """Return how many packets all targets received; None where that was not measured."""
        return sum(each.rx_packets for each in self.traffic.targets.values()) if self.traffic else None

    def harmed_targets(self) -> list[str]:
        """Return the targets that died or turned unhealthy, by name."""
        return sorted({harm.service for harm in self.harmed})

    def log_counts(self, pattern: LogPattern) -> list[int]:
        """Return how many lines of a pattern each target's log has, of those that can show it."""
        counts = [logs.counts.get(pattern) for logs in (self.logs or {}).values()]
        return [count for count in counts if count is not None]

    def searched_in_part(self, pattern: LogPattern) -> bool:
        """Return whether a log that can show a pattern was not searched to its end: there may be more."""
        return any(
            pattern in each.not_searched or (each.counts.get(pattern) is not None and each.is_partial)
            for each in (self.logs or {}).values()
        )
