"""Draws trends: one chart for each measure, a line for each way to scan, a mark where an image changed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from approval_api.pages.plots import Dot, Plot, Series
from approval_api.pages.words import duration, number
from dryrun_contract.trend import Trend, TrendMeasure, TrendPoint, image_changes

PLOT = Plot(720, 220, 52, beside=92)
"""With room for `5,000,000` packets and `33 min 20 s`."""
SPARK_WIDTH, SPARK_HEIGHT = 140.0, 28.0
_MOST_CHANGES = 12
_TITLES: dict[TrendMeasure, str] = {
    "recall": "Recall of services",
    "precision": "Precision of services",
    "harmed": "Targets harmed",
    "seconds": "Duration of scanning",
    "packets": "Packets to all targets",
}


@dataclass(frozen=True, slots=True)
class Time(Dot):
    """One time; whether nothing was cut short at it."""

    whole: bool


@dataclass(frozen=True, slots=True)
class Line(Series[Time]):
    """One way to scan, over time."""

    band: str
    """Outline of the 95 % intervals; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Change:
    """A time from which a collector ran from another image."""

    x: float
    what: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that one picture has."""

    title: str
    lines: tuple[Line, ...]
    changes: tuple[Change, ...]
    first: str
    last: str
    top: str
    middle: str
    banded: bool
    plot: Plot = PLOT


def charts(trend: Trend) -> tuple[Chart, ...]:
    """Return a chart for each measure that at least two times have."""
    drawn = (_chart(trend.points, measure) for measure in _TITLES)
    return tuple(chart for chart in drawn if chart is not None)


def sparkline(values: Sequence[float]) -> str:
    """Return the points of a line over values from 0 to 1.

    >>> sparkline([0.0, 1.0])
    '2.0,26.0 138.0,2.0'
    """
    step = (SPARK_WIDTH - 4) / max(1, len(values) - 1)
    return " ".join(
        f"{2 + index * step:.1f},{2 + (SPARK_HEIGHT - 4) * (1 - value):.1f}"
        for index, value in enumerate(values)
    )


def _chart(points: Sequence[TrendPoint], measure: TrendMeasure) -> Chart | None:
    measured = [
        each for each in points if measure in each.measured and each.measured[measure].value is not None
    ]
    times = sorted({each.at for each in measured})
    if len(times) < 2:
        return None
    places = {at: PLOT.x(index / (len(times) - 1)) for index, at in enumerate(times)}
    most = max(_high(each, measure) for each in measured)
    top = 1.0 if measure in {"recall", "precision"} else _rounded_up(most)
    names = list(dict.fromkeys(each.line for each in measured))
    lines = tuple(
        _line(name, index, [each for each in measured if each.line == name], measure, places, top)
        for index, name in enumerate(names)
    )
    return Chart(
        title=_TITLES[measure],
        lines=lines,
        changes=tuple(_changes(measured, places)[:_MOST_CHANGES]),
        first=f"{times[0]:%Y-%m-%d}",
        last=f"{times[-1]:%Y-%m-%d}",
        top=_shown(top, measure),
        middle=_shown(top / 2, measure),
        banded=len(lines) == 1 and bool(lines[0].band),
    )


def _line(
    name: str,
    index: int,
    points: Sequence[TrendPoint],
    measure: TrendMeasure,
    places: dict[datetime, float],
    top: float,
) -> Line:
    dots, upper, lower = [], [], []
    for each in points:
        interval = each.measured[measure]
        assert interval.value is not None
        x, y = places[each.at], PLOT.y(interval.value / top)
        cut = "" if each.whole else ", a scan was cut short"
        label = f"{each.at:%Y-%m-%d %H:%M} UTC: {_shown(interval.value, measure)}{cut}"
        dots.append(Time(x, y, label, each.whole))
        if interval.low is not None and interval.high is not None:
            upper.append(f"{x},{PLOT.y(interval.high / top)}")
            lower.append(f"{x},{PLOT.y(interval.low / top)}")
    band = " ".join([*upper, *reversed(lower)]) if len(upper) > 1 else ""
    return Line(name, index, dots, band)


def _changes(points: Sequence[TrendPoint], places: dict[datetime, float]) -> list[Change]:
    changes: dict[float, list[str]] = {}
    points = sorted(points, key=lambda point: point.at)
    for each, changed in zip(points, image_changes(points), strict=True):
        if changed:
            changes.setdefault(places[each.at], []).extend(changed)
    return [Change(x, ", ".join(dict.fromkeys(what))) for x, what in changes.items()]


def _high(point: TrendPoint, measure: TrendMeasure) -> float:
    interval = point.measured[measure]
    return max(interval.value or 0.0, interval.high or 0.0)


def _rounded_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, …, so that the axis has round numbers.

    >>> [_rounded_up(value) for value in (0, 0.3, 7, 130)]
    [1.0, 1.0, 10.0, 200.0]
    """
    if value <= 1:
        return 1.0
    scale: float = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in (1.0, 2.0, 5.0, 10.0) if step * scale >= value)


def _shown(value: float, measure: TrendMeasure) -> str:
    match measure:
        case "recall" | "precision":
            return f"{value:.2f}"
        case "seconds":
            return duration(value)
        case _:
            return number(value) if value >= 10 else f"{value:.3g}"
