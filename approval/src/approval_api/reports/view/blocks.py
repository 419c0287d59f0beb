"""The parts of a report for its readers: sections of blocks of text. Renderers know nothing else.

The one distinction that matters is where a text comes from: a `str` is ours, `Quoted` is from outside.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from dryrun_contract.report import MapHost, NetworkMap

type Tone = Literal["", "good", "bad", "warn", "quiet", "gap"]
"""`gap` is the empty part of a bar; no text has it."""

MAX_ROWS = 200
"""Rows of one table; further ones are counted, and are in the JSON report."""
MAX_BARS = 40
MAX_NAMES = 20
"""Collectors in one cell, or names in a row."""
MAX_HOSTS = 60
"""Drawn at most; a session has twenty targets, a lying collector may report thousands of hosts."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """Text from a target, a collector, an operator or a client. Every renderer makes it inert."""

    text: str
    limit: int = 200
    prose: bool = False
    """A sentence rather than a name or a value."""


type Piece = str | Quoted


@dataclass(frozen=True, slots=True)
class Text:
    """A run of text, ours and quoted."""

    pieces: tuple[Piece, ...]
    tone: Tone = ""
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph."""

    text: Text


@dataclass(frozen=True, slots=True)
class Listing:
    """Points, in no particular order."""

    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; figures are aligned right."""

    title: Text
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; `nothing` replaces a table without rows."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Text, ...], ...]
    nothing: str
    hidden: int = 0
    """Rows that are not shown."""
    note: str = ""
    counted: bool = False
    """The number of rows is shown."""

    @property
    def is_list(self) -> bool:
        """Return whether its rows are read one by one; where all but the names are figures, columns are."""
        return sum(not column.numeric for column in self.columns) > 1


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that readers look for first."""

    label: str
    value: str
    note: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Figures side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar."""

    value: float
    tone: Tone
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart."""

    label: Text
    segments: tuple[Segment, ...]
    figure: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A chart of bars."""

    title: str
    bars: tuple[Bar, ...]
    legend: tuple[tuple[Tone, str], ...] = ()
    shares: bool = False
    """Each bar fills the width and shows its parts; otherwise all are to one scale."""
    hidden: int = 0
    """Bars that are not shown."""
    in_table: bool = True
    """Its figures are in a table nearby, so that readers of text miss nothing."""

    def full(self, bar: Bar) -> float:
        """Return the length that fills the chart's width."""
        alike = (bar,) if self.shares else self.bars
        return max((sum(part.value for part in one.segments) for one in alike), default=0) or 1


@dataclass(frozen=True, slots=True)
class Drawing:
    """The two maps of a network: as it is, and as it was reported."""

    network: NetworkMap

    @property
    def pairs(self) -> list[tuple[MapHost | None, MapHost | None]]:
        """Return each host as it is beside how it was found, those that exist first."""
        truth = {host.name: host for host in self.network.truth}
        found = {host.name: host for host in self.network.found}
        names = [*truth, *(name for name in found if name not in truth)]
        return [(truth.get(name), found.get(name)) for name in names[:MAX_HOSTS]]

    @property
    def hidden(self) -> int:
        """Return how many hosts are not drawn."""
        names = {host.name for host in (*self.network.truth, *self.network.found)}
        return max(len(names) - MAX_HOSTS, 0)


type Block = Paragraph | Listing | Table | Tiles | Bars | Drawing


@dataclass(frozen=True, slots=True)
class Section:
    """A part with a heading."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class View:
    """The whole report; its first section is the page to decide by."""

    title: Text
    subtitle: tuple[Text, ...]
    verdict: Literal["passed", "failed", "none"]
    headline: Text
    alerts: tuple[Text, ...]
    """What readers have to know before any figure."""
    sections: tuple[Section, ...]


def first_rows[T](items: Collection[T]) -> tuple[list[T], int]:
    """Return the items that a table shows, and the number of further ones."""
    return list(islice(items, MAX_ROWS)), max(len(items) - MAX_ROWS, 0)


def in_a_row(each: Iterable[tuple[Piece, ...]], count: int, between: str) -> Text:
    """Return texts in one cell, the first ones of `count`."""
    pieces: list[Piece] = []
    for one in islice(each, MAX_NAMES):
        pieces += [between] if pieces else []
        pieces += one
    if count > MAX_NAMES:
        pieces.append(f"{between}and {count - MAX_NAMES:,} more")
    return Text(tuple(pieces))


def text(*pieces: Piece, tone: Tone = "", strong: bool = False) -> Text:
    """Return a text of these pieces."""
    return Text(pieces, tone, strong)


def quoted(value: object, *, limit: int = 200, prose: bool = False) -> Text:
    """Return `value` as quoted text; blank for nothing."""
    return Text((Quoted(str(value), limit, prose),) if value not in (None, "") else ())


def table(
    title: str,
    columns: Iterable[str | Column],
    rows: Sequence[tuple[Text, ...]],
    nothing: str,
    *,
    note: str = "",
    counted: bool = False,
    hidden: int = 0,
) -> Table:
    """Return a table of at most `MAX_ROWS` rows; `hidden` more were left out before."""
    return Table(
        title,
        tuple(Column(text(column)) if isinstance(column, str) else column for column in columns),
        tuple(rows[:MAX_ROWS]),
        nothing,
        hidden=max(len(rows) - MAX_ROWS, 0) + hidden,
        note=note,
        counted=counted,
    )


def figure(title: str | Text) -> Column:
    """Return a column of figures."""
    return Column(text(title) if isinstance(title, str) else title, numeric=True)
