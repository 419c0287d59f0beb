"""Draws a trend: one row for each point, and where a collector's image changed."""

from rich.console import Group, RenderableType
from rich.text import Text

from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute
from dryrun_cli.drawing.quantities import duration
from dryrun_cli.drawing.safe_text import folded, inert
from dryrun_contract.trend import Trend, TrendMeasure, TrendPoint, image_changes


def draw_trend(trend: Trend) -> RenderableType:
    """Return the points, newest first."""
    if not trend.points:
        return Text("Nothing was measured yet; `dryrun templates` lists the templates.")
    figures = ("RECALL", "PRECISION", "HARMED", "DURATION", "PACKETS")
    changes = [", ".join(changed) for changed in image_changes(trend.points)]
    at = dated("WHEN")
    names: tuple[str, ...]
    if any(changes):
        names, narrow = (at, "SCANNED", *figures, "CHANGED"), {at, "SCANNED", "CHANGED"}
    else:
        names, narrow = (at, "SCANNED", *figures), {"SCANNED"}
    table = listing(*names, give_way=narrow, numbers=figures)
    for each, changed in reversed(list(zip(trend.points, changes, strict=True))):
        last = Text(inert(changed or "-", 80), style="yellow" if changed else "")
        table.add_row(*_row(each), *([last] if any(changes) else []))
    return Group(table, Text("RECALL and PRECISION: of services.", style="dim"))


def _row(point: TrendPoint) -> tuple[RenderableType, ...]:
    seconds = _value(point, "seconds")
    return (
        minute(point.at),
        folded(point.line + ("" if point.whole else " (cut short)"), 40),
        _ratio(_value(point, "recall")),
        _ratio(_value(point, "precision")),
        _count(_value(point, "harmed")),
        "-" if seconds is None else duration(seconds),
        _count(_value(point, "packets")),
    )


def _value(point: TrendPoint, measure: TrendMeasure) -> float | None:
    interval = point.measured.get(measure)
    return None if interval is None else interval.value


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.3g}"
