"""Trends: what sessions of a template, or the times of a schedule, measured over time."""

from typing import Literal
from uuid import UUID

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.experiment import Interval

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


class Trend(Word):
    """The newest points, oldest first."""

    points: tuple[TrendPoint, ...]
