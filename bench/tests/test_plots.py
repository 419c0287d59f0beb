import pytest
from bench.results import Breakdown, Growth, Measured, Ratio, Share

plots = pytest.importorskip("bench.page.plots", reason="make bench installs what draws", exc_type=ImportError)

ROWS = {
    "ratios": [Ratio(name="r", pairs=[(1.0, 2.0), (1.1, 2.0), (0.9, 2.0)], goal="healthy-bare-small")],
    "stacks": [Breakdown(name="b", pieces=[("one", 1.0), ("two", 0.01)])],
    "shares": [Share(name="ports", by="quick", found=1, of=2)],
    "growths": [Growth(name="g", work="w", cost="s", points=[(1, 1.0), (1, 1.2), (10, 5.0)])],
}


@pytest.mark.parametrize("name", ROWS)
def test_a_plot_is_the_same_bytes_from_the_same_numbers_and_has_no_background(tmp_path, name):
    for number in (1, 2):
        getattr(plots, name)(tmp_path / f"{number}.svg", "A title", ROWS[name])
    first, second = ((tmp_path / f"{number}.svg").read_text() for number in (1, 2))
    assert first == second
    assert "<dc:date>" not in first
    assert "fill: #ffffff; stroke" not in first
    assert "<text" in first


def test_bars_show_what_they_are_given(tmp_path):
    plots.bars(
        tmp_path / "bars.svg",
        "A title",
        [plots.Bar("a session", Measured(name="x", values=[1.0, 2.0]), ours=True)],
    )
    drawn = (tmp_path / "bars.svg").read_text()
    assert "a session" in drawn
    assert "1.50" in drawn
