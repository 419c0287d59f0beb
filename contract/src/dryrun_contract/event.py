"""Events: what happened in sessions, in one gapless sequence per journal."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.bounded_json import JsonBounds
from dryrun_contract.discovery import LINE_BOUNDS, Discovery
from dryrun_contract.session import Outcome, Phase, Session


class SessionQueued(Word):
    """The first event of a session."""

    type: Literal["session_queued"] = "session_queued"
    template: str
    template_digest: str
    seed: int
    keep: bool
    actor: str
    """Who asked, as asserted by the approval API."""
    installed_digest: str | None = None
    """`sha256:…` over the operator's files that the session runs under; None from an older orchestrator."""


class PhaseChanged(Word):
    """The session entered a phase."""

    type: Literal["phase_changed"] = "phase_changed"
    phase: Phase
    reason: str | None = None


class NetworkCreated(Word):
    """The session has its network; from now on its deadline stands."""

    type: Literal["network_created"] = "network_created"
    name: str
    subnet: str
    expires_at: UtcTime


class IsolationProbed(Word):
    """What the probe inside the new network found: whether the host answers there."""

    type: Literal["isolation_probed"] = "isolation_probed"
    isolated: bool
    detail: str


type TargetState = Literal[
    "created", "starting", "running", "healthy", "unhealthy", "died", "stopped", "removed"
]


class TargetChanged(Word):
    """A target container as the engine tells it."""

    type: Literal["target_changed"] = "target_changed"
    service: str
    image: str
    image_id: str
    state: TargetState
    detail: str | None = None


class AddressesMapped(Word):
    """Which address is which service; for reports only, collectors never learn it."""

    type: Literal["addresses_mapped"] = "addresses_mapped"
    addresses: dict[str, str]


class TargetHarmed(Word):
    """A target died or turned unhealthy while collectors ran."""

    type: Literal["target_harmed"] = "target_harmed"
    service: str
    harm: Literal["died", "unhealthy", "out_of_memory"]
    during: tuple[str, ...]
    """Collectors that ran at that moment."""
    detail: str


type Purpose = Literal["discovery", "comparison"]
"""A comparison runs only where a template names it; what it finds is told to nobody, counts for it alone."""


class CollectorStarted(Word):
    """A collector container runs."""

    type: Literal["collector_started"] = "collector_started"
    collector: str
    run: str
    image: str
    image_id: str
    config_digest: str | None = None
    """`configuration_digest` of what it was told; None from an orchestrator that did not say."""
    purpose: Purpose = "discovery"


class CollectorProgressed(Word):
    """How far a collector is; `total` is None while it does not know."""

    type: Literal["collector_progressed"] = "collector_progressed"
    collector: str
    run: str
    done: int
    total: int | None = None
    message: str = ""


class DiscoveryReported(Word):
    """Identified by `run` and `line` (1 is the first line of that collector's output)."""

    type: Literal["discovery_reported"] = "discovery_reported"
    collector: str
    run: str
    line: int = Field(ge=1)
    discovery: Discovery


class CollectorWarned(Word):
    """A line that does not parse, or something the collector itself could not look at."""

    type: Literal["collector_warned"] = "collector_warned"
    collector: str
    run: str
    line: int = Field(ge=1)
    message: str


class CollectorEnded(Word):
    """A collector came to its end, or was ended."""

    type: Literal["collector_ended"] = "collector_ended"
    collector: str
    run: str
    complete: bool
    """The end line came and its count is what was read."""
    truncated: bool
    """The output ceiling was reached; the rest was not read."""
    discoveries: int
    warnings: int
    lines: int
    exit_code: int | None = None
    reason: str | None = None
    """Why it is not complete."""


class TargetTraffic(Word):
    """What one target received and sent while collectors ran, as the engine counts."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    at_least: bool = False
    """The target ended before the last sample."""


class TrafficOfCollectors(Word):
    """What all targets together received and sent while exactly these collectors ran."""

    collectors: tuple[str, ...]
    """Empty: between two runs."""
    seconds: float = Field(ge=0)
    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int


class TrafficMeasured(Word):
    """What the scan sent to its targets, as the engine counts it."""

    type: Literal["traffic_measured"] = "traffic_measured"
    targets: dict[str, TargetTraffic]
    peak_packets_per_second: float
    """Largest mean over one sampling interval of packets that one target received."""
    sampling_seconds: float
    by_collectors: tuple[TrafficOfCollectors, ...] = ()
    """The same figures by who ran; empty from an orchestrator that did not tell them apart."""


type LogPattern = Literal["errors", "connections", "failed_logins", "slow_queries"]
"""What an image's manifest may say how to recognise in a line of its log."""

MAX_LOG_SAMPLE = 5
"""Lines shown of one target's log for one set of collectors; figures count all of them."""


class LogsOfCollectors(Word):
    """What one target wrote while exactly these collectors could have caused it."""

    collectors: tuple[str, ...]
    """One; several that ran at that moment, where the line does not tell which; none between two runs."""
    lines: int = Field(ge=0)
    counts: dict[LogPattern, int] = Field(default_factory=dict)
    sample: tuple[Annotated[str, Field(max_length=500)], ...] = Field(default=(), max_length=MAX_LOG_SAMPLE)
    """Some of the lines, made printable; lines that differ in figures only stand here once."""


class TargetLogs(Word):
    """What one target's log says of the scan."""

    counts: dict[LogPattern, int | None]
    """By pattern, over the whole scan; None where the image has no such pattern: not measured."""
    lines: int = Field(ge=0)
    by_collectors: tuple[LogsOfCollectors, ...] = ()
    truncated: bool = False
    """The log is longer than what is read of it: figures are "at least"."""
    note: str | None = None
    """What limits these figures: the target died, its log could not be read, a pattern was given up."""


class TargetLogsMeasured(Word):
    """What the scan left in the logs of its targets, as far as they could be read."""

    type: Literal["target_logs_measured"] = "target_logs_measured"
    targets: dict[str, TargetLogs]


class SessionEnded(Word):
    """The last event: listings by the session's label are empty."""

    type: Literal["session_ended"] = "session_ended"
    outcome: Outcome
    reason: str | None = None


class EventRefused(Word):
    """Stands in the place of an event that could not be taken in: too large, unknown, or not storable."""

    type: Literal["event_refused"] = "event_refused"
    told: str = Field(max_length=100)
    """The type that the event gave for itself."""
    size: int = Field(ge=0)
    """Bytes of it that were received."""
    reason: str = Field(max_length=500)


type EventData = Annotated[
    SessionQueued
    | PhaseChanged
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
"""Of one event's data. The largest are figures of target logs: 20 targets, 25 lines shown of each."""
PAGE_BYTES = 256 * 1024
"""A page ends before the event that would make it longer; one larger event is a page of its own."""
PAGE_BOUNDS = JsonBounds(
    size=MAX_EVENT_BYTES + 4096, values=300_000, depth=24, key_length=LINE_BOUNDS.key_length
)
"""What is read of a page; more values than a page of `PAGE_BYTES` can hold."""
SNAPSHOT_BOUNDS = JsonBounds(size=16 * 1024 * 1024, values=300_000, depth=8)
"""What is read of a snapshot."""


class EventPage(Word):
    """The answer to `GET /events?after=JOURNAL:N&wait=30`: what came after N, oldest first; may be empty."""

    journal: UUID
    events: tuple[Event, ...]


class Snapshot(Word):
    """The body of a 410 answer: the position asked for is not in the journal; go on from here."""

    journal: UUID
    seq: int
    """The newest sequence number; 0 when there was no event yet."""
    sessions: tuple[Session, ...]
