"""What charts of several lines have in common: an area with axes, and one series for each way to scan."""

from collections.abc import Sequence
from dataclasses import dataclass

_COLOURS = 6


@dataclass(frozen=True, slots=True)
class Plot:
    """An area in the units of its SVG, with the same margin above and below, and on both sides."""

    width: float
    height: float
    margin: float
    beside: float | None = None
    """The margin on both sides, where the figures of the vertical axis stand, if it is another."""

    @property
    def left(self) -> float:
        """Where the vertical axis stands."""
        return self.margin if self.beside is None else self.beside

    @property
    def right(self) -> float:
        """Where the horizontal axis ends."""
        return self.width - self.left

    @property
    def bottom(self) -> float:
        """Where the vertical axis begins, at 0."""
        return self.height - self.margin

    def x(self, share: float) -> float:
        """Return the place of a share of the horizontal axis, from 0 to 1."""
        return round(self.left + (self.right - self.left) * share, 1)

    def y(self, share: float) -> float:
        """Return the place of a share of the vertical axis; what lies outside of 0 to 1 is drawn at its end.

        >>> [Plot(720, 220, 40).y(share) for share in (0, 0.5, 2)]
        [180, 110.0, 40]
        """
        return round(self.bottom - (self.bottom - self.margin) * min(1, max(0, share)), 1)


@dataclass(frozen=True, slots=True)
class Dot:
    """One point of a series."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Series[Point: Dot]:
    """One way to scan."""

    name: str
    number: int
    dots: Sequence[Point]

    @property
    def colour(self) -> int:
        """The number of its colour in the style sheet."""
        return self.number % _COLOURS

    @property
    def path(self) -> str:
        """The line through its dots, as SVG writes points."""
        return " ".join(f"{dot.x},{dot.y}" for dot in self.dots)
