"""Draws forecasts beside production runs for a terminal."""

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.api.session_ids import short
from dryrun_cli.drawing.glyphs import Glyphs
from dryrun_cli.drawing.indented import indented
from dryrun_cli.drawing.network_forecast_view import INTERVAL, KINDS, quantity_text
from dryrun_cli.drawing.safe_text import inert
from dryrun_contract.check import Check, CheckedGroup, CheckList, Comparison
from dryrun_contract.network_forecast import QUANTITIES
from dryrun_contract.text import about, counted

_MOST_GROUPS: Final = 10
_WHAT: Final = {
    "kind": "hosts, services, products",
    "quantity": "durations, packets",
    "place": "ports",
    "product": "products",
}


def draw_check(check: Check, glyphs: Glyphs) -> RenderableType:
    """Return prediction beside outcome, and which services explain what lies outside."""
    compared = check.comparison
    kinds, quantities = compared.of("kind"), compared.quantities
    title = Text(f"{sum(compared.judged)} of {len(compared.judged)} within", style="bold").append(
        f"  {inert(check.template)}, {compared.hosts:,} hosts, forecast from "
        f"{counted(compared.sessions, 'session')}",
        "not bold",
    )
    parts: list[RenderableType] = [title]
    if not compared.complete:
        run = "The production run" if check.source == "output" else "A scan of production"
        said = f"{run} did not finish: what it missed may be there. Not counted."
        parts.append(indented(f"{glyphs.warning} {said}", "yellow"))
    parts += [indented(f"{glyphs.warning} {said}", "yellow") for said in _left_out(compared)]
    unknown = any(group.unknown for group in kinds)
    table = _comparison_table(unknown=unknown)
    for group in kinds:
        table.add_row(KINDS.get(group.name, inert(group.name)), *_cells(group, glyphs, unknown=unknown))
    for each in quantities:
        low, high = (quantity_text(each.name, value) for value in (each.predicted.low, each.predicted.high))
        table.add_row(
            QUANTITIES[each.name],
            quantity_text(each.name, each.predicted.value),
            f"{low} to {high}",
            *([""] if unknown else []),
            quantity_text(each.name, each.outcome),
            _verdict(each.within, glyphs),
        )
    parts.append(indented(table))
    for kind, reasons in compared.explained_by.items():
        parts.append(Text(f"{KINDS.get(kind, inert(kind))} lie outside; largest differences:", style="bold"))
        parts += [indented(inert(each, 200), "yellow") for each in reasons]
    outside = [group for group in (*compared.of("place"), *compared.of("product")) if group.within is False]
    if outside:
        parts.append(Text(f"Ports and products outside their interval: {len(outside)}", style="bold"))
        unknown = any(group.unknown for group in outside[:_MOST_GROUPS])
        table = _comparison_table(unknown=unknown)
        for group in outside[:_MOST_GROUPS]:
            table.add_row(Text(inert(group.name, 60)), *_cells(group, glyphs, unknown=unknown))
        parts.append(indented(table))
        parts += _more(len(outside))
    if compared.not_in_inventory:
        number = sum(compared.not_in_inventory.values())
        places = ", ".join(inert(place) for place in list(compared.not_in_inventory)[:_MOST_GROUPS])
        parts.append(Text(f"Not in the inventory: {counted(number, 'service')}, {places}", style="dim"))
        parts += _more(len(compared.not_in_inventory))
    parts.append(Text(f"Stored as {short(check.id)}; `dryrun checks` shows all", style="dim"))
    return Group(*parts)


def _more(number: int) -> list[RenderableType]:
    """Return how many are not shown, and where they are; nothing when all are."""
    if number <= _MOST_GROUPS:
        return []
    return [Text(f"  and {number - _MOST_GROUPS} more; for all: --json, or the check's page", style="dim")]


def _left_out(compared: Comparison) -> Iterator[str]:
    """Yield what the outcome did not list and what the run did not look at, a sentence each."""
    parts = [
        f"{counted(number, 'service')} {of}"
        for number, of in (
            (compared.places_left_out, "at further ports"),
            (compared.products_left_out, "of further products"),
        )
        if number
    ]
    if parts:
        what = " and ".join(parts)
        yield f"Left out, beyond the most frequent: {what}; what they may belong to has no verdict."
    if compared.hosts_left_out:
        addresses = counted(compared.hosts_left_out, "address", "addresses")
        yield f"The run did not look at {addresses}: nothing there counts as missed."
    if compared.hosts_seen_in_part:
        hosts = counted(compared.hosts_seen_in_part, "host")
        yield f"One of its collectors did not look at {hosts}: what only it finds there is not missed."


def draw_checks(listed: CheckList) -> RenderableType:
    """Return how often forecasts were right, and the checks behind it."""
    if not listed.checks:
        return Text("No forecasts checked yet. To check one: dryrun report ID --check-against FILE")
    parts: list[RenderableType] = [
        Text(f"{each.within} of {each.of} within", style="bold").append(f"  {_WHAT[each.what]}", "not bold")
        for each in listed.calibration
    ]
    table = _table("CHECK", "TEMPLATE", "HOSTS", "SERVICES", "PRODUCTS", "DURATION", "PACKETS")
    for check in listed.checks:
        groups = {group.name: group.within for group in check.comparison.of("kind")}
        quantities = {each.name: each.within for each in check.comparison.quantities}
        table.add_row(
            Text(short(check.id), style="cyan"),
            Text(inert(check.template, 30)).append("" if check.comparison.complete else " *", "yellow"),
            *(_word(groups.get(name)) for name in ("host", "service", "product")),
            *(_word(quantities.get(name)) for name in ("seconds", "packets")),
        )
    parts += [Text(""), table]
    if not all(check.comparison.complete for check in listed.checks):
        parts.append(Text("* The run did not finish; it is not counted.", style="dim"))
    return Group(*parts)


def _comparison_table(*, unknown: bool) -> Table:
    return _table("", "expected", INTERVAL, *(["unknown"] if unknown else []), "production", "")


def _cells(group: CheckedGroup, glyphs: Glyphs, *, unknown: bool) -> list[Text]:
    predicted = group.predicted
    beyond = f" (+{group.beyond})" if group.beyond else ""
    return [
        Text("-" if predicted is None else about(predicted.value)),
        Text("-" if predicted is None else f"{about(predicted.low)} to {about(predicted.high)}"),
        *([Text(f"{group.unknown:,}" if group.unknown else "", style="yellow")] if unknown else []),
        Text(f"{group.outcome:,} of {group.total:,}{beyond}"),
        _verdict(group.within, glyphs),
    ]


def _verdict(within: bool | None, glyphs: Glyphs) -> Text:
    if within is None:
        return Text("no verdict", style="dim")
    return (
        Text(f"{glyphs.done} within", style="green") if within else Text(f"{glyphs.bad} outside", style="red")
    )


def _word(within: bool | None) -> Text:
    if within is None:
        return Text("-", style="dim")
    return Text("within", style="green") if within else Text("outside", style="red")


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True, overflow="ellipsis")
    for name in others:
        table.add_column(name, justify="left" if name in {"", "TEMPLATE"} else "right", no_wrap=True)
    return table
