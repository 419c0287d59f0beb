"""Trends: what sessions of a template, or the runs of a schedule, measured over time."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.experiment_results import Interval
from dryrun_contract.template import TEMPLATE_ID

MAX_POINTS = 120

type TrendMeasure = Literal["recall", "precision", "harmed", "seconds", "packets"]
"""Recall and precision of services, targets harmed, duration of scanning, packets to all targets."""


class TrendPoint(Word):
    """One session, or one way to scan at one time of a schedule."""

    at: UtcTime
    line: str
    """The way to scan: points of one line compare with each other."""
    measured: dict[TrendMeasure, Interval]
    images: dict[str, str]
    """Collector → the ID of the image that it ran from."""
    whole: bool
    """False: some scan was cut short, and what it missed may be there."""
    session_id: UUID | None = None
    experiment_id: UUID | None = None


def image_changes(points: Iterable[TrendPoint]) -> list[list[str]]:
    """Return for each point, oldest first, the images that are not those of the point before of its line."""
    before: dict[tuple[str, str], str] = {}
    changes = []
    for each in points:
        changes.append(
            [
                f"{name} {image.removeprefix('sha256:')[:12]}"
                for name, image in sorted(each.images.items())
                if before.get((each.line, name), image) != image
            ]
        )
        before |= {(each.line, name): image for name, image in each.images.items()}
    return changes


class Trend(Word):
    """The newest points, oldest first."""

    points: tuple[TrendPoint, ...]


class Badge(Word):
    """How the newest measured session of a template, or time of a schedule, came out.

    The first four fields are what shields.io reads from an endpoint.
    """

    schemaVersion: Literal[1] = 1  # noqa: N815  # their name
    label: str
    message: str
    color: Literal["green", "red", "blue", "lightgrey"]
    at: UtcTime | None
    recall: float | None
    """Recall of services."""
    precision: float | None
    passed: bool | None
    """The verdict; null where there is none."""


class PublishRequest(Word):
    """Publishes the badge of one template or of one schedule."""

    template: Annotated[str, Field(pattern=TEMPLATE_ID)] | None = None
    schedule_id: UUID | None = None

    @model_validator(mode="after")
    def _is_of_one(self) -> Self:
        if (self.template is None) == (self.schedule_id is None):
            raise ValueError("name a template or a schedule")
        return self


class PublishedBadge(Word):
    """A badge that whoever knows its address may read without signing in."""

    id: str
    template: str | None
    schedule_id: UUID | None
    published_by: str
    published_at: UtcTime
    path: str
    """Path of the picture; `.json` in place of `.svg` is the same as data."""


class PublishedBadges(Word):
    """All published badges, newest first."""

    badges: tuple[PublishedBadge, ...]
