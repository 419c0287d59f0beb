"""A forecast beside the production run that it was about (`docs/forecast.md`)."""

from operator import not_
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.census import Place
from dryrun_contract.network_forecast import Expected, Quantity
from dryrun_contract.production_counts import ProductionCounts

MAX_TOGETHER = 50
"""Sessions that one forecast is made from."""

type GroupKind = Literal["kind", "place", "product"]


class CheckRequest(Word):
    """A production run to compare a session's forecast with."""

    outcome: ProductionCounts | None = None
    """Counts of its output; None for what the table of production discoveries holds."""
    seconds: float | None = Field(default=None, ge=0, le=100_000_000)
    """How long it took, where the table is asked."""
    packets: int | None = Field(default=None, ge=0, le=10**15)
    sessions: tuple[UUID, ...] = Field(default=(), max_length=MAX_TOGETHER - 1)
    """Further sessions to forecast from."""


class CheckedGroup(Word):
    """Hosts, services or products of the inventory: how many were expected, and how many were found."""

    what: GroupKind
    name: str
    total: int
    predicted: Expected | None
    """Prediction for the covered; None when nothing stands for any."""
    unknown: int
    outcome: int
    """Found in production, at most `total`."""
    beyond: int = 0
    """Found in production beyond the inventory's count: the inventory does not have them."""
    within: bool | None
    """Inside the interval, where of the unknown none or all may be found; None when nothing was predicted, or
    when what the outcome left out may decide it."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which counts the outcome was expected."""
        low, high = (self.predicted.low, self.predicted.high) if self.predicted else (0.0, 0.0)
        return low, high + self.unknown


class CheckedQuantity(Word):
    """What the run took, and what was expected."""

    name: Quantity
    predicted: Expected
    outcome: float
    within: bool | None
    """None: hosts that the run may have left out decide it."""


class Comparison(Word):
    """The comparison itself."""

    network: str
    hosts: int
    sessions: int
    """That the forecast was made from."""
    complete: bool
    """The production run came to its end."""
    places_left_out: int = Field(default=0, ge=0)
    """Services at places beyond those that an outcome lists."""
    products_left_out: int = Field(default=0, ge=0)
    """Services of products beyond those that an outcome lists."""
    hosts_left_out: Annotated[int, Field(ge=0, exclude_if=not_)] = 0
    """At most so many hosts the production run did not look at. Written only when there are some: a check of
    before is then the same."""
    hosts_seen_in_part: Annotated[int, Field(ge=0, exclude_if=not_)] = 0
    """Hosts that one collector found and another did not look at: some of their services may be left out."""
    groups: tuple[CheckedGroup, ...]
    quantities: tuple[CheckedQuantity, ...]
    explained_by: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Kind that lies outside → the places or products that differ most from their forecast, in words."""
    not_in_inventory: dict[Place, int] = Field(default_factory=dict)
    """Places with more services than the inventory has there."""

    @property
    def judged(self) -> tuple[bool, ...]:
        """Of each total and quantity that has a verdict, whether it was within its interval."""
        kinds = (group.within for group in self.of("kind"))
        verdicts = (*kinds, *(each.within for each in self.quantities))
        return tuple(within for within in verdicts if within is not None)

    def of(self, what: GroupKind) -> tuple[CheckedGroup, ...]:
        """Return the groups of one kind."""
        return tuple(group for group in self.groups if group.what == what)


class Check(Word):
    """A stored comparison."""

    id: UUID
    session_id: UUID | None
    """None when the session was deleted since."""
    template: str
    checked_by: str
    checked_at: UtcTime
    source: Literal["output", "production"]
    """What the outcome was counted from: a run's output, or the table of production discoveries."""
    comparison: Comparison


class Calibration(Word):
    """How often outcomes lay inside their intervals, which are to hold nine of ten."""

    what: Literal["kind", "place", "product", "quantity"]
    within: int
    of: int


class CheckList(Word):
    """Checks, newest first, and what all of these show together."""

    checks: tuple[Check, ...]
    calibration: tuple[Calibration, ...]
