"""Recall, harm and duration over the rates lie where they belong, whatever was measured."""

from approval_api.pages.experiments.rate_charts import PLOT, charts
from dryrun_contract.experiment_results import Interval, RatePoint, RateSweep


def interval(value):
    return Interval(value=value, low=None, high=None)


def point(rate, recall, harm, seconds):
    return RatePoint(
        rate=rate,
        arm=f"{rate}/s",
        runs=4,
        recall=interval(recall),
        seconds=interval(seconds),
        harm=interval(harm),
        harmful=0,
        lost=0,
        unclear=0,
        state="harms" if harm else "safe",
        reason="",
    )


def sweep(*points):
    return RateSweep(
        name="ours",
        points=points,
        verdict="recommended",
        recommended=points[0].rate,
        beyond=None,
        harm_chance_at_most=0.5,
        sentence="",
    )


def test_a_chart_spans_the_rates_on_a_logarithmic_axis():
    points = (point(100, 1.0, 0.0, 40.0), point(1_000, 0.5, 2.0, 20.0), point(10_000, None, 0.0, None))
    recall, harm, seconds = charts([sweep(*points)])
    (curve,) = recall.curves
    assert [(dot.x, dot.y) for dot in curve.dots] == [
        (PLOT.x(0.04), PLOT.margin),
        (PLOT.width / 2, PLOT.height / 2),
    ]
    assert [dot.state for dot in curve.dots] == ["safe", "harms"]
    assert [dot.recommended for dot in curve.dots] == [True, False]
    assert (harm.top, seconds.top) == ("2.00", "40.0")
    assert [dot.y for dot in harm.curves[0].dots] == [PLOT.bottom, PLOT.margin, PLOT.bottom]
    assert [(tick.x, tick.rate, tick.recommended) for tick in seconds.ticks] == [
        (PLOT.x(0.04), 100, True),
        (PLOT.x(0.96), 10_000, False),
    ]


def test_a_recommended_rate_between_the_ends_is_marked_on_the_axis():
    swept = sweep(point(100, 1.0, 0.0, 40.0), point(1_000, 1.0, 0.0, 20.0), point(10_000, 1.0, 1.0, 9.0))
    recall, _, _ = charts([swept.model_copy(update={"recommended": 1_000})])
    assert [(tick.rate, tick.recommended) for tick in recall.ticks] == [
        (100, False),
        (1_000, True),
        (10_000, False),
    ]


def test_one_rate_is_no_curve():
    assert charts([sweep(point(100, 1.0, 0.0, 1.0))]) == ()
    assert charts([]) == ()


def test_a_sweep_without_any_harm_lies_on_the_axis():
    _, harm, _ = charts([sweep(point(100, 1.0, 0.0, 1.0), point(200, 1.0, 0.0, 1.0))])
    assert {dot.y for dot in harm.curves[0].dots} == {PLOT.bottom}
