"""Draws the forecast of a report for a terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.indented import indented
from dryrun_cli.drawing.quantities import duration
from dryrun_cli.drawing.safe_text import inert, shown
from dryrun_contract.report import Forecast, ForecastLine
from dryrun_contract.text import byte_count, counted


def draw_forecast(forecast: Forecast | None) -> Iterator[RenderableType]:
    """Yield the figures with their range, and what they assume; or why there are none."""
    yield Text("")
    if forecast is None:
        yield Text("Forecast: none, as the session measured no traffic or did not scan", style="yellow")
        return
    yield Text(f"Forecast for {counted(forecast.hosts, 'host')} in {inert(forecast.cidr)}", style="bold")
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    table.add_column("", no_wrap=True)
    for name in ("expected", "least", "most"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("from", overflow="fold")
    for line in forecast.lines:
        expected, *ends = (_figure(line, value) for value in (line.expected, line.low, line.high))
        if line.at_least:
            expected = Text("at least ").append(expected)
        table.add_row(shown(line.name), expected, *ends, Text(inert(line.basis), style="dim"))
    yield indented(table)
    for assumption in forecast.assumptions:
        yield indented(f"assumed: {inert(assumption)}", "dim")


def _figure(line: ForecastLine, value: float | None) -> Text:
    if value is None:
        return Text("-", style="dim")
    if line.unit == "seconds":
        return Text(duration(value))
    return Text(byte_count(value) if line.name == "bytes" else f"{value:,.0f}")
