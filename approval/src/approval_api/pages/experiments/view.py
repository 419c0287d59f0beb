"""An experiment's results as a page draws them: shades of a heat map, places of interval plots, a curve."""

from dataclasses import dataclass

from approval_api.pages.experiments.rate_charts import Chart, charts
from dryrun_contract.experiment_results import UNMEASURED, ExperimentResults, Interval, RowResult
from dryrun_contract.side_effects import SIDE_EFFECTS

_SHADES = 10
_WIDTH, _DOT = 160.0, 6.0
"""Width of an interval plot, and room for a dot at its ends; its middle is no difference."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of the heat map; `shade` from 0 (nothing found) to 10 (everything)."""

    interval: Interval
    shade: int | None
    clear: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One kind or attribute over all arms."""

    kind: str
    attribute: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Where an interval lies, in units of the picture."""

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """Everything that the page draws."""

    rows: tuple[Row, ...]
    plots: dict[tuple[str, str, str | None], Plot]
    """By arm, kind and attribute: the difference of recall."""
    charts: tuple[Chart, ...]
    side_effects: tuple[str, ...]
    """Those that any arm's targets could suffer."""


def drawn(results: ExperimentResults) -> Drawn:
    """Return the pictures' coordinates."""
    clear = results.clear_rows()
    by_arm = {arm.arm: {(row.kind, row.attribute): row for row in arm.rows} for arm in results.arms}
    return Drawn(
        rows=tuple(
            Row(
                kind,
                attribute,
                tuple(
                    _cell(rows.get((kind, attribute)), clear=(arm, kind, attribute) in clear)
                    for arm, rows in by_arm.items()
                ),
            )
            for kind, attribute in results.row_names()
        ),
        plots={
            (contrast.arm, row.kind, row.attribute): plot
            for contrast in results.contrasts
            for row in contrast.rows
            if (plot := _plot(row.recall)) is not None
        },
        charts=charts(results.rate_sweeps),
        side_effects=tuple(
            name for name in SIDE_EFFECTS if any(name in arm.side_effects for arm in results.arms)
        ),
    )


def _cell(row: RowResult | None, *, clear: bool) -> Cell:
    interval = row.recall if row is not None else UNMEASURED
    shade = None if interval.value is None else round(interval.value * _SHADES)
    return Cell(interval, shade, clear)


def _plot(interval: Interval) -> Plot | None:
    if interval.value is None:
        return None

    def place(value: float) -> float:
        return round(_WIDTH / 2 + (_WIDTH / 2 - _DOT) * max(-1.0, min(1.0, value)), 1)

    low = interval.value if interval.low is None else interval.low
    high = interval.value if interval.high is None else interval.high
    return Plot(place(low), place(interval.value), place(high))
