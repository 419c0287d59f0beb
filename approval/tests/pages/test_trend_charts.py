"""Charts of trends."""

from datetime import UTC, datetime, timedelta

import pytest

from approval_api.pages.trend_charts import PLOT, charts
from dryrun_contract.experiment_results import Interval
from dryrun_contract.trend import Trend, TrendPoint

_NARROW = frozenset(" ,.i")


def width(text):
    """Return about what a text takes in the pages' font at the 14 px of a chart of trends."""
    return sum(4.0 if letter in _NARROW else 9.2 for letter in text)


@pytest.mark.parametrize(
    ("measure", "value", "top"), [("packets", 4_600_000.0, "5,000,000"), ("seconds", 1_790.0, "33 min 20 s")]
)
def test_the_figures_of_an_axis_have_room_on_both_sides(measure, value, top):
    measured = {measure: Interval(value=value, low=None, high=None)}
    began = datetime(2026, 11, 30, tzinfo=UTC)
    points = tuple(
        TrendPoint(at=began + timedelta(days=day), line="quick", measured=measured, images={}, whole=True)
        for day in range(2)
    )
    [chart] = charts(Trend(points=points))
    assert chart.top == top
    for text in (chart.top, chart.middle):
        assert width(text) <= min(PLOT.left - 5, PLOT.width - PLOT.right - 8)
