"""Production: scans with what they cover, and rules that approve discoveries."""

from ipaddress import ip_network
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, StrictBool, model_validator

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.kinds import KINDS
from dryrun_contract.network import MAX_NETWORKS, Network, all_within

REPORTING_COLLECTOR = r"^[a-z][a-z0-9_-]{0,63}$"
"""Names in tokens and in reports to production: wider than those of installed collectors
(`scan_choice.COLLECTOR_NAME`), because anybody's program may report."""
type CollectorName = Annotated[str, Field(pattern=REPORTING_COLLECTOR, examples=["network"])]


class ScanStart(Word):
    """A scan that begins: who scans what, and how thoroughly."""

    collector: CollectorName
    targets: Annotated[tuple[Network, ...], Field(min_length=1, max_length=MAX_NETWORKS)]
    exclude: Annotated[tuple[Network, ...], Field(max_length=MAX_NETWORKS)] = ()
    profile: Literal["quick", "full"]
    """A quick scan proves nothing about what only full ones found."""
    began_at: UtcTime | None = None
    """When it began to look, where that was before this report of it; null: now."""

    @model_validator(mode="after")
    def _looks_somewhere(self) -> Self:
        if all_within(map(ip_network, self.targets), map(ip_network, self.exclude)):
            raise ValueError("all targets are excluded, so that nothing was scanned; leave a target")
        return self


class ScanEnd(Word):
    """The end of a scan."""

    complete: StrictBool
    """Whether the collector covered all of it, to its end line; otherwise nothing is concluded. A scan that
    reached none of its targets is incomplete all the same."""
    not_covered: Annotated[tuple[Network, ...], Field(max_length=MAX_NETWORKS)] = ()
    """What of its targets it did not reach after all."""


class ScanView(Word):
    """A scan of production."""

    id: UUID
    collector: str
    targets: tuple[str, ...]
    excluded: tuple[str, ...]
    """What its start excluded; halves of a network as that network."""
    not_covered: tuple[str, ...] = ()
    """What of its targets it did not reach, by its end."""
    profile: Literal["quick", "full"]
    started_by: str
    started_at: UtcTime
    ended_at: UtcTime | None
    complete: bool | None
    missed: int | None
    """Discoveries that it covered and did not report; null until it ended."""
    gone: int | None
    """Those of them that it made gone."""


class ScanList(Word):
    """The newest scans, newest first."""

    scans: tuple[ScanView, ...]


class ChangeCount(Word):
    """How many discoveries of one kind were new, changed, gone or back."""

    change: Literal["new", "changed", "gone", "returned"]
    kind: str
    count: int


class ChangeSummary(Word):
    """What happened in production since a time: a discovery counts once for each such thing."""

    since: UtcTime
    counts: tuple[ChangeCount, ...]


MAX_NAMED = 20
MAX_VALUES = 100

type RuleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["lab-web-servers"])]
type ReporterName = Annotated[str, Field(pattern=r"^[ -~]{1,80}$", examples=["program:lab-collector"])]
type AttributeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
type Values = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")], ...],
    Field(min_length=1, max_length=MAX_VALUES),
]


class RuleRequest(Word):
    """A rule that approves: everything has to be named, and nothing else is approved.

    It does not change afterwards; another rule takes its place.
    """

    name: RuleName
    collectors: Annotated[tuple[CollectorName, ...], Field(min_length=1, max_length=MAX_NAMED)]
    reporters: Annotated[tuple[ReporterName, ...], Field(min_length=1, max_length=MAX_NAMED)]
    """Whose reports: a person's name, or `program:NAME`. A collector's name alone is anybody's to claim."""
    kinds: Annotated[tuple[AttributeName, ...], Field(min_length=1, max_length=MAX_NAMED)]
    subnets: Annotated[tuple[Network, ...], Field(min_length=1, max_length=MAX_NETWORKS)]
    min_confidence: Annotated[float, Field(ge=0, le=1, examples=[0.9])]
    """The collector's own word: it keeps out guesses, not lies."""
    attributes: Annotated[
        dict[AttributeName, Values | Literal["any"]], Field(max_length=MAX_NAMED, default_factory=dict)
    ]
    """Scored attributes of the kinds, each with its accepted values or `any`. A discovery with another scored
    attribute is not approved."""
    changes: Annotated[tuple[Literal["new", "changed", "returned"], ...], Field(min_length=1)] = ("new",)
    """A removal is always a person's to approve."""
    most_a_day: Annotated[int, Field(ge=1, le=10_000)] = 500
    """What would be more switches the rule off."""

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Self:
        unknown = sorted(set(self.kinds) - KINDS.keys())
        if unknown:
            raise ValueError(f"there is no kind {unknown[0]!r}; kinds are {', '.join(KINDS)}")
        scored = {name for kind in self.kinds for name in KINDS[kind].scored}
        unknown = sorted(self.attributes.keys() - scored)
        if unknown:
            kinds = ", ".join(self.kinds)
            known = ", ".join(sorted(scored)) or "none"
            raise ValueError(f"{unknown[0]!r} is not a scored attribute of {kinds}; they have {known}")
        return self


class RuleView(Word):
    """A rule, who made it, and what it did."""

    id: UUID
    request: RuleRequest
    made_by: str
    made_at: UtcTime
    on_since: UtcTime | None
    """Null while it is off."""
    on_by: str | None
    off_because: str | None
    approved: int
    """Discoveries, ever."""


class RuleList(Word):
    """All rules, by name."""

    rules: tuple[RuleView, ...]


class RuleMatch(Word):
    """A discovery that a rule would approve."""

    id: int
    revision: int
    change: str
    kind: str
    key: str
    collector: str
    confidence: float
    data: dict[str, JsonValue]


class RulePreview(Word):
    """What a rule would approve of today's queue."""

    matching: int
    """How many match; counted up to one more than the rule may approve in a day."""
    queue: int
    """How many discoveries wait for a decision."""
    examples: tuple[RuleMatch, ...]
    digest: str
    """Digest of all that match, in their revisions; switching the rule on names it."""
    remaining: dict[str, int] = Field(default_factory=dict)
    """Where nothing matches: how many are left after each condition of the rule. The first, `decisions`, is
    that nobody rejected it or took its approval back; the last, `attributes`, that its key is plain, too."""

    @property
    def narrowing(self) -> str:
        """What the conditions leave, up to the one that leaves nothing, e.g. `changes 12, collectors 0`."""
        none = next((number for number, left in enumerate(self.remaining.values(), 1) if not left), None)
        known = list(self.remaining.items())[:none]
        return ", ".join(f"{name.replace('_', ' ')} {left:,}" for name, left in known)


class RuleSwitch(Word):
    """Switches a rule on, as it was previewed."""

    preview: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The digest of the preview that was looked at."""
