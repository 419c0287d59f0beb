"""Events: what happened in sessions, in one gapless sequence per journal."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.bounded_json import JsonBounds
from dryrun_contract.discovery import LINE_BOUNDS, Discovery
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_contract.session import Outcome, Phase, Session


class SessionQueued(Word):
    """The first event of a session."""

    type: Literal["session_queued"] = "session_queued"
    template: str
    template_digest: str
    seed: int
    keep: bool
    scan: ScanChoice = NO_CHOICE
    actor: str
    """Who requested it, as asserted by the approval API."""
    installed_digest: str | None = None
    """`sha256:…` over the operator's files that apply to the session; None from an older orchestrator."""
    prepared_at: UtcTime | None = None
    """When its network and targets were made ahead of this request; None for a session that starts cold. What
    happened to them until now follows at once, with the time of the request."""


class PhaseChanged(Word):
    """The session entered a phase; of the phase that it is in, why it stays there."""

    type: Literal["phase_changed"] = "phase_changed"
    phase: Phase
    reason: str | None = None


class SessionPlaced(Word):
    """Where the session's containers will stand, in a fleet of several hosts."""

    type: Literal["session_placed"] = "session_placed"
    targets: dict[str, int]
    """Host → how many targets."""
    collectors: str
    """The host on which collectors run."""
    encrypted: bool | None = None
    """Whether traffic between the hosts is encrypted; None for a session on one host."""
    reason: str
    """Why there, e.g. `17 on a, 3 on b, collectors on a: a has room for 19`."""


class NetworkCreated(Word):
    """The session's network was created; from now on its deadline is fixed."""

    type: Literal["network_created"] = "network_created"
    name: str
    subnet: str
    expires_at: UtcTime


class IsolationProbed(Word):
    """The result of the probe inside the new network: whether the host answers there."""

    type: Literal["isolation_probed"] = "isolation_probed"
    isolated: bool
    detail: str


type TargetState = Literal[
    "created", "starting", "running", "healthy", "unhealthy", "died", "stopped", "removed"
]


class TargetChanged(Word):
    """The state of a target container, as the engine reports it."""

    type: Literal["target_changed"] = "target_changed"
    service: str
    image: str
    image_id: str
    state: TargetState
    detail: str | None = None
    host: str | None = None
    """The host that it stands on; None where there is only one."""


class AddressesMapped(Word):
    """The service behind each address; for reports only, collectors never see it."""

    type: Literal["addresses_mapped"] = "addresses_mapped"
    addresses: dict[str, str]


class TargetHarmed(Word):
    """A target died or turned unhealthy while collectors ran."""

    type: Literal["target_harmed"] = "target_harmed"
    service: str
    harm: Literal["died", "unhealthy", "out_of_memory"]
    during: tuple[str, ...]
    """Collectors that were running at that moment."""
    detail: str


type Purpose = Literal["discovery", "comparison"]
"""A comparison runs only if a template names it; its discoveries go to nobody and count for it alone."""


class CollectorStarted(Word):
    """A collector's container has started."""

    type: Literal["collector_started"] = "collector_started"
    collector: str
    run: str
    image: str
    image_id: str
    config_digest: str | None = None
    """`configuration_digest` of its configuration; None from an older orchestrator."""
    purpose: Purpose = "discovery"
    claims: dict[str, tuple[str, ...]] | None = None
    """Kinds, with scored attributes, that its manifest says it reports; None when it says nothing of that."""
    provides: tuple[str, ...] | None = None
    """Kinds that its manifest says it discovers; None from an older orchestrator."""


class CollectorProgressed(Word):
    """The progress of a collector; `total` is None while unknown."""

    type: Literal["collector_progressed"] = "collector_progressed"
    collector: str
    run: str
    done: int
    total: int | None = None
    message: str = ""


class DiscoveryReported(Word):
    """A discovery, identified by `run` and `line` (1 is the first line of that run's output)."""

    type: Literal["discovery_reported"] = "discovery_reported"
    collector: str
    run: str
    line: int = Field(ge=1)
    discovery: Discovery


class CollectorWarned(Word):
    """A line that does not parse, or something that the collector could not inspect."""

    type: Literal["collector_warned"] = "collector_warned"
    collector: str
    run: str
    line: int = Field(ge=1)
    message: str


class CollectorEnded(Word):
    """A collector ended, or was ended."""

    type: Literal["collector_ended"] = "collector_ended"
    collector: str
    run: str
    complete: bool
    """The end line was read, and its count is the number of discoveries read."""
    truncated: bool
    """The output ceiling was reached; the rest was not read."""
    discoveries: int
    warnings: int
    lines: int
    exit_code: int | None = None
    reason: str | None = None
    """Why it is incomplete."""


class TargetTraffic(Word):
    """Traffic of one target while collectors ran, by the engine's counters."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    at_least: bool = False
    """The target ended before the last sample."""


class TrafficOfCollectors(Word):
    """Traffic of all targets together while exactly these collectors ran."""

    collectors: tuple[str, ...]
    """Empty: between two runs."""
    seconds: float = Field(ge=0)
    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int


class TrafficMeasured(Word):
    """The traffic of the scan, by the engine's counters."""

    type: Literal["traffic_measured"] = "traffic_measured"
    targets: dict[str, TargetTraffic]
    peak_packets_per_second: float
    """The largest mean, over one sampling interval, of packets that one target received."""
    sampling_seconds: float
    by_collectors: tuple[TrafficOfCollectors, ...] = ()
    """The same figures by collectors; empty from an older orchestrator."""


type LogPattern = Literal["errors", "connections", "failed_logins", "slow_queries"]
"""What a pattern of an image's manifest can recognise in a line of its log."""

type SideEffect = Literal["pages_printed", "accounts_locked", "restarts", "credentials_shown"]
"""What a scan can do to a target beyond its death; recognised like a `LogPattern`, where it can happen."""

MAX_LOG_SAMPLE = 5
"""Sample lines of one target's log for one set of collectors; figures count all lines."""


class LogsOfCollectors(Word):
    """Log lines of one target that exactly these collectors could have caused."""

    collectors: tuple[str, ...]
    """One; several that ran at that moment, where the line does not show which; none between two runs."""
    lines: int = Field(ge=0)
    counts: dict[LogPattern, int] = Field(default_factory=dict)
    side_effects: dict[SideEffect, int] = Field(default_factory=dict)
    sample: tuple[Annotated[str, Field(max_length=500)], ...] = Field(default=(), max_length=MAX_LOG_SAMPLE)
    """Some of the lines, made printable; of lines that differ only in digits, one."""


class TargetLogs(Word):
    """What the scan left in one target's log."""

    counts: dict[LogPattern, int | None]
    """By pattern, over the whole scan; None where the image has none such, or it was not searched for."""
    not_searched: tuple[LogPattern, ...] = ()
    """Patterns that the image has and this log was not searched for to its end: they have no count."""
    side_effects: dict[SideEffect, int | None] = Field(default_factory=dict)
    """Those that the image has a pattern for, over the whole scan; None where its log was not searched."""
    lines: int = Field(ge=0)
    by_collectors: tuple[LogsOfCollectors, ...] = ()
    truncated: bool = False
    """The log is longer than the part that was read: figures are "at least"."""
    note: str | None = None
    """What limits these figures: the target died, its log was unreadable, a pattern took too long."""

    @property
    def is_partial(self) -> bool:
        """Whether part of the log was not searched, so that there may be more than was counted."""
        return self.truncated or self.note is not None


class TargetLogsMeasured(Word):
    """What the scan left in the logs of its targets, as far as they were readable."""

    type: Literal["target_logs_measured"] = "target_logs_measured"
    targets: dict[str, TargetLogs]


type SpanName = Literal[
    "queue", "checks", "network", "probe_start", "probe", "create", "start", "health", "probe_removal"
]
"""`queue`: from the request to a free place. `checks`: whether the engine answers and allows what is needed.
`probe_start` and `probe`: until the isolation probe runs, and until its verdict. `create`, `start`, `health`:
one target's, the last from its start to its first successful health check as it was noticed."""
MAX_SPANS = 120
"""Twenty targets have sixty."""


class BringUpSpan(Word):
    """One step of bringing the targets up."""

    step: SpanName
    service: str | None = None
    begin: float = Field(ge=0)
    """Seconds after the session was queued."""
    seconds: float = Field(ge=0)


class BringUpTraced(Word):
    """Where the time went until every target was ready, as far as one process saw it."""

    type: Literal["bring_up_traced"] = "bring_up_traced"
    spans: tuple[BringUpSpan, ...] = Field(max_length=MAX_SPANS)


class SessionEnded(Word):
    """The last event: no container or network has the session's label any more."""

    type: Literal["session_ended"] = "session_ended"
    outcome: Outcome
    reason: str | None = None


class EventRefused(Word):
    """Takes the place of an event that could not be stored: too large, of an unknown type, or invalid."""

    type: Literal["event_refused"] = "event_refused"
    claimed_type: str = Field(max_length=100)
    """The type that the event claimed."""
    size: int = Field(ge=0)
    """Bytes received of it."""
    reason: str = Field(max_length=500)


type EventData = Annotated[
    SessionQueued
    | PhaseChanged
    | SessionPlaced
    | NetworkCreated
    | IsolationProbed
    | TargetChanged
    | AddressesMapped
    | TargetHarmed
    | CollectorStarted
    | CollectorProgressed
    | DiscoveryReported
    | CollectorWarned
    | CollectorEnded
    | TrafficMeasured
    | TargetLogsMeasured
    | BringUpTraced
    | EventRefused
    | SessionEnded,
    Field(discriminator="type"),
]


class Event(Word):
    """One event. `journal` and `seq` identify it; `seq` has no gaps."""

    journal: UUID
    seq: int = Field(ge=1)
    session_id: UUID
    at: UtcTime
    data: EventData


MAX_EVENT_BYTES = 1024 * 1024
"""Longest data of one event. The largest are figures of target logs: 20 targets with 25 sample lines each."""
PAGE_BYTES = 256 * 1024
"""A page ends before the event that would exceed this; a larger event is a page of its own."""
PAGE_BOUNDS = JsonBounds(
    size=MAX_EVENT_BYTES + 4096, values=300_000, depth=24, key_length=LINE_BOUNDS.key_length
)
"""Ceilings for reading a page; more values than a page of `PAGE_BYTES` can hold."""
SNAPSHOT_BOUNDS = JsonBounds(size=16 * 1024 * 1024, values=300_000, depth=8)
"""Ceilings for reading a snapshot."""


class EventPage(Word):
    """The answer to `GET /events?after=JOURNAL:N&wait=30`: events after N, oldest first; may be empty."""

    journal: UUID
    events: tuple[Event, ...]


class Snapshot(Word):
    """The body of a 410 answer: the journal no longer has the requested position; continue from here."""

    journal: UUID
    seq: int
    """The newest sequence number; 0 when there was no event yet."""
    sessions: tuple[Session, ...]
