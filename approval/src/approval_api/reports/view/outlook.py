"""Beyond this session: a forecast for a larger network, and what a dry-run does not rehearse."""

from approval_api.reports.view.blocks import Listing, Paragraph, Section, Text, figure, table, text
from approval_api.reports.view.wording import seconds, size, times
from dryrun_contract.report import ForecastLine, Report


def forecast(report: Report) -> Section | None:
    """Return what the same collectors would do to another network; None where the real one has a forecast."""
    title = "Forecast for production" if report.network_forecast is None else "Forecast for another network"
    found = report.forecast
    if found is None and report.network_forecast is not None:
        return None
    if found is None:
        return Section(
            "forecast", title, (Paragraph(text("Nothing was measured to extrapolate from.", tone="quiet")),)
        )
    rows = [
        (
            text(line.unit.replace("seconds", "duration")),
            text(f"{'at least ' * line.at_least}{_figure(line, line.expected)}", strong=True),
            text(_range(line)),
            text(line.basis, tone="quiet"),
        )
        for line in found.lines
    ]
    heading = f"{times(found.hosts, 'host')} in {found.cidr}, {found.addresses:,} addresses"
    return Section(
        "forecast",
        title,
        (
            table(heading, ("", figure("Expected"), figure("Range"), "Based on"), rows, ""),
            Listing(tuple(text("Assumed: ", line) for line in found.assumptions)),
        ),
    )


def _figure(line: ForecastLine, value: float | None) -> str:
    if value is None:
        return "not measured" if line.expected is None else "open"
    if line.unit == "seconds":
        return seconds(value)
    return size(value) if line.name == "bytes" else f"{value:,.0f}"


def _range(line: ForecastLine) -> str:
    if line.low is None:
        return "-"
    high = "" if line.high is None else f" to {_figure(line, line.high)}"
    return f"{'from ' if not high else ''}{_figure(line, line.low)}{high}"


def not_rehearsed(report: Report) -> Section:
    """Return what this report does not cover."""
    items: tuple[Text, ...] = tuple(text(f"{one.what}. ", one.why) for one in report.not_rehearsed)
    return Section(
        "not-rehearsed",
        "What was not rehearsed",
        (Paragraph(text("This report does not cover:")), Listing(items)),
    )
