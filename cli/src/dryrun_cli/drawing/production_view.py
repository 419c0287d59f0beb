"""Draws production's discoveries and scans."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import JsonValue
from rich.console import RenderableType
from rich.text import Text

from dryrun_cli.api.reading import JsonObject
from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute, when
from dryrun_cli.drawing.safe_text import folded, inert, shown
from dryrun_contract.production import ChangeSummary, ScanView

_STYLES = {"new": "cyan", "changed": "yellow", "gone": "red", "returned": "yellow"}


def draw_discoveries(rows: Iterable[JsonObject], *, of_open: bool) -> RenderableType:
    """Return one row per discovery, with the revision that a decision on it has to name.

    `of_open` says that only open ones were requested.
    """
    found = dated("FOUND")
    table = listing("ID", "CHANGE", "STATE", "KIND", "KEY", "COLLECTOR", found, give_way={"KEY", found})
    for row in rows:
        change = str(row.get("change"))
        table.add_row(
            shown(f"{_text(row.get('id'))}:{_text(row.get('revision'))}"),
            Text(inert(change, 20), style=_STYLES.get(change, "")),
            shown(_text(row.get("status")), limit=20),
            shown(_text(row.get("kind")), limit=40),
            folded(_text(row.get("key")), 80),
            shown(_text(row.get("collector")), limit=40),
            folded(_minute(row.get("found_at"))),
        )
    why = " Without --all, only open ones are listed." if of_open else ""
    return table if table.row_count else Text(f"No matching discovery.{why}")


def draw_changes(summary: ChangeSummary) -> RenderableType:
    """Return one row per kind, one column for each thing that may happen."""
    titles = [change.upper() for change in _STYLES]
    table = listing("KIND", *titles, numbers=titles)
    counts: dict[tuple[str, str], int] = {(each.kind, each.change): each.count for each in summary.counts}
    for kind in sorted({each.kind for each in summary.counts}):
        table.add_row(shown(kind, limit=40), *(f"{counts.get((kind, change), 0):,}" for change in _STYLES))
    return table if table.row_count else Text(f"Nothing since {when(summary.since)}.")


def draw_scans(scans: Iterable[ScanView]) -> RenderableType:
    """Return one row per scan."""
    table = listing(
        *(dated("BEGAN"), "COLLECTOR", "PROFILE", "TARGETS", "RESULT", "MISSED", "GONE"),
        give_way={"TARGETS"},
        numbers={"MISSED", "GONE"},
    )
    for each in scans:
        more = f" and {len(each.targets) - 3} more" if len(each.targets) > 3 else ""
        result = {True: "complete", False: "incomplete", None: "not ended"}[each.complete]
        table.add_row(
            minute(each.started_at),
            shown(each.collector, limit=40),
            each.profile,
            folded(", ".join(each.targets[:3]) + more, 80),
            Text(result, style="green" if each.complete else "yellow"),
            "-" if each.missed is None else str(each.missed),
            "-" if each.gone is None else str(each.gone),
        )
    return table if table.row_count else Text("No scans yet. To report one: dryrun production report FILE …")


def _minute(value: JsonValue) -> str:
    try:
        return minute(datetime.fromisoformat(_text(value)))
    except (ValueError, OverflowError):
        return "-"


def _text(value: JsonValue) -> str:
    return "-" if value is None else str(value)
