"""What parts of the bench hand back, and what `bench/results/latest.json` holds: measurements, not prose."""

import statistics
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.intervals import Interval, median_interval, ratio_interval, slope


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Result):
    """One thing, measured several times. `goal` names a row of goals.py that bounds it by itself."""

    name: str
    values: list[float] = Field(min_length=1)
    unit: str = "s"
    goal: str | None = None

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def interval(self) -> Interval:
        """The median with its interval."""
        return median_interval(self.values)


class Ratio(_Result):
    """One thing beside another, measured in turn: (first, second) of each turn."""

    name: str
    pairs: list[tuple[float, float]] = Field(min_length=1)
    goal: str | None = None

    @property
    def interval(self) -> Interval:
        """The ratio with its interval."""
        return ratio_interval(self.pairs)


class Share(_Result):
    """How many of what is there were found. `by` is who looked."""

    name: str
    by: str
    found: int
    of: int = Field(gt=0)
    goal: str | None = None

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.found / self.of


class Growth(_Result):
    """What something costs as work grows: (work, cost), several of the same work where it was repeated."""

    name: str
    work: str
    cost: str
    points: list[tuple[float, float]] = Field(min_length=2)

    @property
    def medians(self) -> list[tuple[float, float]]:
        """The median cost of each amount of work, in order."""
        amounts = sorted({work for work, _ in self.points})
        return [(each, statistics.median(y for x, y in self.points if x == each)) for each in amounts]

    @property
    def slope(self) -> float:
        """The exponent: 1 is proportional."""
        return slope(self.points)


class Breakdown(_Result):
    """What a time is made of, in order: (name, seconds)."""

    name: str
    pieces: list[tuple[str, float]]


class Table(_Result):
    """What fits none of the others."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class Machine(_Result):
    """Where it was measured."""

    processors: int
    model: str
    memory_gib: float
    kernel: str
    engine: str


class PartResult(_Result):
    """What one part measured. `load` is the machine's load average over a minute, before and after it."""

    part: str
    title: str
    about: str
    """What was compared, and how; a paragraph of the page."""
    measured: list[Measured] = []
    ratios: list[Ratio] = []
    shares: list[Share] = []
    growths: list[Growth] = []
    breakdowns: list[Breakdown] = []
    tables: list[Table] = []
    load: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0
    made_at: str = ""
    commit: str = ""
    long: bool = False
    machine: Machine | None = None
    """Where it was measured; None: on the page's machine."""


class Run(_Result):
    """The newest measurement of each part. `failed`: part → why it has none.

    `machine` is the page's: that of every part which names no other. A part's ratios are of one machine.
    `load` is its load average over a minute before the first part; later parts begin under that of others.
    """

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    machine: Machine
    load: float = 0.0
    parts: list[PartResult]
    failed: dict[str, str] = {}
