"""Recall, harm and duration over packets per second, as a page draws them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10

from approval_api.pages.plots import Dot, Plot, Series
from dryrun_contract.experiment_results import RatePoint, RateSweep

PLOT = Plot(360, 170, 34)
_INSET = 0.04
"""Share of the axis at each end without dots, which would cover the labels there."""
_FIGURES: tuple[tuple[str, Callable[[RatePoint], float | None], str], ...] = (
    ("Recall", lambda point: point.recall.value, ".2f"),
    ("Harm in a session", lambda point: point.harm.value, ".2f"),
    ("Seconds", lambda point: point.seconds.value, ".1f"),
)


@dataclass(frozen=True, slots=True)
class Rate(Dot):
    """One rate; `state` is that of its point."""

    state: str
    recommended: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A rate on the axis: the slowest, the fastest, and those that are recommended."""

    x: float
    rate: int
    recommended: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure over the rates, on a logarithmic axis."""

    title: str
    top: str
    """The value at the upper end of the axis; 0 is the lower."""
    curves: tuple[Series[Rate], ...]
    ticks: tuple[Tick, ...]
    plot: Plot = PLOT


def charts(sweeps: Sequence[RateSweep]) -> tuple[Chart, ...]:
    """Return a chart for each figure; none before two rates have been measured."""
    rates = sorted({point.rate for sweep in sweeps for point in sweep.points})
    if len(rates) < 2:
        return ()
    first, last = log10(rates[0]), log10(rates[-1])

    def x(rate: int) -> float:
        return PLOT.x(_INSET + (1 - 2 * _INSET) * (log10(rate) - first) / (last - first))

    best = {sweep.recommended for sweep in sweeps}
    ticks = tuple(Tick(x(rate), rate, rate in best) for rate in rates if rate in {rates[0], rates[-1], *best})
    return tuple(_chart(title, figure, form, sweeps, ticks, x) for title, figure, form in _FIGURES)


def _chart(
    title: str,
    figure: Callable[[RatePoint], float | None],
    form: str,
    sweeps: Sequence[RateSweep],
    ticks: tuple[Tick, ...],
    x: Callable[[int], float],
) -> Chart:
    values = [value for sweep in sweeps for point in sweep.points if (value := figure(point)) is not None]
    top = 1.0 if title == "Recall" else max(values, default=0.0) or 1.0

    def curve(number: int, sweep: RateSweep) -> Series[Rate]:
        dots = tuple(
            Rate(
                x(point.rate),
                PLOT.y(value / top),
                f"{point.rate:,} packets/s: {value:{form}}",
                point.state,
                point.rate == sweep.recommended,
            )
            for point in sweep.points
            if (value := figure(point)) is not None
        )
        return Series(sweep.name, number, dots)

    curves = tuple(curve(number, sweep) for number, sweep in enumerate(sweeps))
    return Chart(title, f"{top:{form}}", curves, ticks)
