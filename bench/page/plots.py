"""Plots as SVG: readable on light and dark pages, the same bytes from the same numbers."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before matplotlib is imported: drawing must not depend on what a user has configured or cached.
os.environ.setdefault("MPLCONFIGDIR", str(Path("/tmp") / f"bench-matplotlib-{os.getuid()}"))

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.goals import GOALS
from bench.page.tables import is_met, number
from bench.results import Breakdown, Growth, Measured, Ratio, Share

# Mid-tones: at least 3 to 1 against white and against GitHub's dark page.
INK = "#7d8590"
GRID = "#7d859040"
OURS, THEIRS = "#2f81f7", "#8b949e"
GOOD, BAD = "#2da44e", "#e5534b"
SERIES = ("#2f81f7", "#d9822b", "#2da44e", "#a371f7", "#e5534b", "#1f9ea8", "#bf8700")
_UNITS = {"s": "seconds", "ms": "milliseconds"}
_WIDTH_INCHES = 8.2
_ROW_INCHES = 0.34
_STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and is small
    "svg.hashsalt": "bench",  # ids of elements, otherwise random
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "Segoe UI", "Helvetica", "Arial", "sans-serif", "DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Bar:
    """One row of a bar plot: the median with its range."""

    label: str
    measured: Measured
    ours: bool


def ratios(path: Path, title: str, rows: Sequence[Ratio]) -> None:
    """Draw ratios with their intervals, and the bound of each where there is one."""
    bounds = {goal.id: goal for goal in GOALS}
    with _drawn(path, title, len(rows), "ratio, less is faster; line: 95 % interval; mark: to reach") as axes:
        for at, each in enumerate(rows):
            interval, goal = each.interval, bounds.get(each.goal or "")
            color = OURS if goal is None else GOOD if is_met(goal, each) else BAD
            if interval.low is not None and interval.high is not None:
                axes.hlines(at, interval.low, interval.high, color=color, linewidth=2.5)
            axes.plot([interval.value], [at], "o", color=color, markersize=6)
            place = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
            axes.annotate(f"{interval.value:.2f}", (interval.value, at), fontsize=9, color=color, **place)
            if goal is not None:
                axes.plot([goal.bound], [at], "|", color=INK, markersize=15, markeredgewidth=2)
        axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks([0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        # As in the table of goals: several parts have ratios of the same name.
        names = [bounds[each.goal].row if each.goal in bounds else each.name for each in rows]
        _rows(axes, [name.replace("`", "") for name in names])


def bars(path: Path, title: str, rows: Sequence[Bar]) -> None:
    """Draw medians with their ranges, one bar each."""
    with _drawn(path, title, len(rows), f"{_UNITS[rows[0].measured.unit]}: median and range") as axes:
        most = max(max(row.measured.values) for row in rows)
        for at, row in enumerate(rows):
            values, color = row.measured.values, OURS if row.ours else THEIRS
            axes.barh(at, row.measured.median, height=0.62, color=color, alpha=0.85)
            axes.plot([min(values), max(values)], [at, at], color=INK, linewidth=1.5)
            axes.text(max(values) + most * 0.012, at, number(row.measured.median), va="center", fontsize=9)
        axes.set_xlim(0, most * 1.1)
        axes.grid(visible=False, axis="y")
        _rows(axes, [row.label for row in rows])


def stacks(path: Path, title: str, rows: Sequence[Breakdown]) -> None:
    """Draw what times are made of."""
    with _drawn(path, title, len(rows), "seconds, medians of each piece", extra=0.75) as axes:
        names = list(dict.fromkeys(name for row in rows for name, _ in row.pieces))
        most = max(sum(seconds for _, seconds in row.pieces) for row in rows)
        for at, row in enumerate(rows):
            left = 0.0
            for name, seconds in row.pieces:
                color = SERIES[names.index(name) % len(SERIES)]
                axes.barh(at, seconds, left=left, height=0.62, color=color, alpha=0.85)
                if seconds > most * 0.045:
                    axes.text(
                        left + seconds / 2,
                        at,
                        number(seconds),
                        ha="center",
                        va="center",
                        fontsize=9,
                        color="#ffffff",
                    )
                left += seconds
        handles = [
            mpl.patches.Patch(color=SERIES[n % len(SERIES)], label=name) for n, name in enumerate(names)
        ]
        height_inches = axes.get_window_extent().height / axes.figure.dpi
        # Below the axis and what it says.
        axes.legend(handles=handles, ncols=4, loc="upper center", bbox_to_anchor=(0.4, -0.55 / height_inches))
        axes.grid(visible=False, axis="y")
        _rows(axes, [row.name.replace("`", "") for row in rows])


def shares(path: Path, title: str, rows: Sequence[Share]) -> None:
    """Draw what was found of what is there; a mark where it is to be."""
    bounds = {goal.id: goal for goal in GOALS}
    with _drawn(path, title, len(rows), "share of what is there; mark: to reach") as axes:
        for at, each in enumerate(rows):
            goal = bounds.get(each.goal or "")
            without = THEIRS if each.by.startswith("nmap") else OURS
            color = without if goal is None else GOOD if is_met(goal, each) else BAD
            axes.barh(at, 1, height=0.62, color=GRID)
            axes.barh(at, each.share, height=0.62, color=color, alpha=0.85)
            axes.text(1.02, at, f"{each.found} of {each.of}", va="center", fontsize=9)
            if goal is not None:
                axes.plot([goal.bound], [at], "|", color=INK, markersize=16, markeredgewidth=2)
        axes.set_xlim(0, 1.15)
        axes.grid(visible=False, axis="y")
        _rows(axes, [f"{each.name}, {each.by}" for each in rows])


def growths(path: Path, title: str, rows: Sequence[Growth]) -> None:
    """Draw how costs grow with work, both logarithmic; each line's slope stands beside its name."""
    with _drawn(path, title, 9, rows[0].work, width=0.8, legend=15 * len(rows)) as axes:
        for number_, each in enumerate(rows):
            color = SERIES[number_ % len(SERIES)]
            medians = each.medians
            axes.plot(*zip(*each.points, strict=True), "o", color=color, markersize=4, alpha=0.5)
            axes.plot(
                *zip(*medians, strict=True),
                color=color,
                linewidth=2,
                label=f"{each.name}: slope {each.slope:.2f}",
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        positions = sorted({x for each in rows for x, _ in each.points})
        axes.set_xticks(positions)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
        low, high = (
            min(y for each in rows for _, y in each.points),
            max(y for each in rows for _, y in each.points),
        )
        axes.set_yticks(_steps(low, high))
        axes.set_ylim(low / 1.3, high * 1.3)
        axes.set_ylabel(rows[0].cost)
        axes.legend(
            loc="upper left", fontsize=9, bbox_to_anchor=(-0.02, 1.02 + 0.068 * len(rows)), borderaxespad=0
        )


def _steps(low: float, high: float) -> list[float]:
    """Return round numbers between the two: 1, 2, 5, 10, …, thinned out where there would be too many."""
    steps = [
        base * 10.0**power
        for power in range(-4, 5)
        for base in (1, 2, 5)
        if low / 1.3 <= base * 10.0**power <= high * 1.3
    ]
    return steps if len(steps) <= 7 else [step for step in steps if f"{step:e}".startswith("1.")]


def _rows(axes: Any, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


@contextmanager
def _drawn(
    path: Path,
    title: str,
    rows: int,
    below: str,
    *,
    extra: float = 0.0,
    width: float = 1.0,
    legend: float = 0.0,
) -> Iterator[Any]:
    """Give axes for `rows` rows, and write them as SVG: transparent, without a date."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES * width, rows * _ROW_INCHES + 0.9 + extra))
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_xlabel(below, fontsize=9)
        yield axes
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", x=0, pad=10 + legend)
        figure.savefig(
            path,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            metadata={"Date": None, "Creator": None},
        )
