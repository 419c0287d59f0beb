"""A schedule: an experiment that is repeated at set times, and what became of each time."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.experiment import ExperimentRequest, ExperimentView
from dryrun_contract.experiment_results import Interval
from dryrun_contract.trend import TrendMeasure

MAX_FIRINGS_SHOWN = 100

type CronExpression = Annotated[
    str, Field(min_length=9, max_length=100, pattern=r"^[0-9A-Za-z*/,#LW-]+(?: [0-9A-Za-z*/,#LW-]+){4}$")
]
type TimeZoneName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")]


class ScheduleRequest(Word):
    """What a client may say: when, and an experiment of installed names and numbers."""

    cron: CronExpression = Field(examples=["30 2 * * 1-5"])
    """Minute, hour, day of month, month, day of week, as Debian's cron reads them."""
    timezone: TimeZoneName = Field(default="UTC", examples=["Europe/Berlin"])
    """A name of the IANA time zone database; the cron expression speaks of its wall clock."""
    experiment: ExperimentRequest


class FiringArm(Word):
    """What one way to scan achieved in one firing."""

    arm: str
    services: Interval
    """Recall of services."""
    measured: dict[TrendMeasure, Interval] = Field(default_factory=dict)
    incomplete: int = 0
    """Scans that were cut short."""
    images: dict[str, str]
    """Collector → the ID of the image that it ran from."""
    judged: int = 0
    """Sessions with a verdict."""
    passed: int = 0
    """Of these, how many met the criteria."""


class Firing(Word):
    """One time at which a schedule was due."""

    due_at: UtcTime
    state: Literal["starting", "started", "skipped", "failed"]
    reason: str | None
    """Why it was skipped or failed."""
    experiment: ExperimentView | None
    arms: tuple[FiringArm, ...] = ()


class ScheduleView(Word):
    """A schedule as clients see it."""

    id: UUID
    request: ScheduleRequest
    owner: str
    created_at: UtcTime
    next_at: UtcTime | None
    """Null while it is paused."""
    paused_because: str | None
    """Null while it runs."""
    token_ends_at: UtcTime | None = None
    """When the person's token ends, or ended, that made or resumed it; the schedule pauses then. Null for one
    that depends on no token."""


class Schedule(ScheduleView):
    """A schedule with its newest firings, newest first."""

    firings: tuple[Firing, ...]
