"""Draws for a terminal what to expect of a production run on the network that a template stands for."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.indented import indented
from dryrun_cli.drawing.quantities import duration
from dryrun_cli.drawing.safe_text import inert
from dryrun_contract.network_forecast import (
    INTERVAL_SHARE,
    QUANTITIES,
    Expected,
    Group,
    NetworkForecast,
    Quantity,
)
from dryrun_contract.text import about, byte_count, counted

KINDS = {"host": "hosts", "service": "services", "product": "products identified"}
INTERVAL = f"{100 * INTERVAL_SHARE:.0f} % interval"
_MOST_GROUPS = 8


def draw_network_forecast(known: NetworkForecast) -> Iterator[RenderableType]:
    """Yield the figures with their intervals, and which services and products are missed or unknown."""
    yield Text("")
    yield Text("Expected in production", style="bold").append(
        f"  {known.hosts:,} hosts, {known.hosts_covered:,} of them covered by "
        f"{counted(known.targets, 'target')} in {counted(known.sessions, 'session')}",
        "not bold",
    )
    if by := known.scanned_by:
        yield indented(f"scanned by {inert(by, 500)}", "dim")
    table = _table("", "there", "covered", "found", INTERVAL, "missed", "unknown")
    for group in known.kinds:
        table.add_row(KINDS.get(group.name, inert(group.name)), *_cells(group))
    yield indented(table)
    for title, groups in (("Services by port", known.places), ("Products", known.products)):
        worst = [group for group in groups if _is_lacking(group)]
        if not worst:
            continue
        yield Text(f"{title} that are missed or unknown: {len(worst)}", style="bold")
        table = _table("", "there", "covered", "found", INTERVAL, "missed", "unknown")
        for group in worst[:_MOST_GROUPS]:
            table.add_row(Text(inert(group.name, 60)), *_cells(group))
        yield indented(table)
        if len(worst) > _MOST_GROUPS:
            yield Padding(Text(f"and {len(worst) - _MOST_GROUPS} more: -o report.html", "dim"), (0, 2))
    yield from draw_quantities(known)


def draw_quantities(known: NetworkForecast) -> Iterator[RenderableType]:
    """Yield what the scan takes and does."""
    table = _table("", "expected", INTERVAL)
    for each in known.quantities:
        if each.expected is not None:
            low, high = (quantity_text(each.name, value) for value in (each.expected.low, each.expected.high))
            expected = f"{'at least ' * each.at_least}{quantity_text(each.name, each.expected.value)}"
            interval = f"from {low}" if each.at_least else f"{low} to {high}"
            table.add_row(QUANTITIES[each.name], expected, Text(interval, style="dim"))
    if table.row_count:
        yield indented(table)
    for each in known.quantities:
        if each.name == "seconds" and each.expected is not None:
            basis = Text(f"duration from {inert(each.basis, 300)}", style="dim")
            yield indented(basis)
    unmeasured = [QUANTITIES[each.name] for each in known.quantities if each.expected is None]
    if unmeasured:
        yield indented(f"not measured: {', '.join(unmeasured)}", "dim")


def quantity_text(name: Quantity, value: float) -> str:
    """Return a quantity in its unit."""
    if name == "seconds":
        return duration(value)
    if name == "bytes":
        return byte_count(round(value))
    return about(value) if name == "harmed" else f"{value:,.0f}"


def _is_lacking(group: Group) -> bool:
    missed = group.missed
    return bool(group.unknown) or missed is None or missed.value >= 0.05


def _cells(group: Group) -> list[Text]:
    missed = group.missed
    lost = "" if missed is None or missed.value < 0.05 else about(missed.value)
    return [
        Text(f"{group.total:,}"),
        Text(f"{group.covered:,}", style="dim"),
        Text("-" if group.found is None else about(group.found.value)),
        Text(_interval(group.found), style="dim"),
        Text(lost, style="red"),
        Text(f"{group.unknown:,}" if group.unknown else "", style="yellow"),
    ]


def _interval(expected: Expected | None) -> str:
    return "-" if expected is None else f"{about(expected.low)} to {about(expected.high)}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True, overflow="ellipsis", min_width=14)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
