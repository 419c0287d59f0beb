"""Draws a trend: one row for each point, and where a collector's image changed."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.narration import duration
from dryrun_cli.drawing.safe_text import inert, shown
from dryrun_cli.drawing.tables import when
from dryrun_contract.trend import Trend, TrendMeasure, TrendPoint


def draw_trend(trend: Trend) -> RenderableType:
    """Return the points, newest first."""
    if not trend.points:
        return Text("Nothing was measured yet.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("WHEN", "SCANNED", "RECALL", "PRECISION", "HARMED", "DURATION", "PACKETS", "CHANGED"):
        numbers = name in {"RECALL", "PRECISION", "HARMED", "DURATION", "PACKETS"}
        table.add_column(name, no_wrap=True, overflow="ellipsis", justify="right" if numbers else "left")
    before: dict[tuple[str, str], str] = {}
    rows = []
    for each in trend.points:
        rows.append(_row(each, before))
        before |= {(each.line, name): image for name, image in each.images.items()}
    for row in reversed(rows):
        table.add_row(*row)
    return table


def _row(point: TrendPoint, before: dict[tuple[str, str], str]) -> tuple[RenderableType, ...]:
    changed = ", ".join(
        f"{name} {image.removeprefix('sha256:')[:12]}"
        for name, image in sorted(point.images.items())
        if before.get((point.line, name), image) != image
    )
    seconds = _value(point, "seconds")
    return (
        when(point.at).rpartition(":")[0],
        shown(point.line + ("" if point.whole else " (cut short)"), limit=40),
        _ratio(_value(point, "recall")),
        _ratio(_value(point, "precision")),
        _count(_value(point, "harmed")),
        "-" if seconds is None else duration(seconds),
        _count(_value(point, "packets")),
        Text(inert(changed or "-", 80), style="yellow" if changed else ""),
    )


def _value(point: TrendPoint, measure: TrendMeasure) -> float | None:
    interval = point.measured.get(measure)
    return None if interval is None else interval.value


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.3g}"
