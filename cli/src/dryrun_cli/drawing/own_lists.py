"""Draws what each collector for comparison missed, or reported falsely or wrongly, for a terminal."""

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.glyphs import Glyphs
from dryrun_cli.drawing.indented import indented
from dryrun_cli.drawing.safe_text import inert, shown, value_text
from dryrun_contract.report import Report
from dryrun_contract.scores import CollectorScores

MOST_LISTED: Final = 10
type _Cells = tuple[Text, Text, Text, Text]


def draw_own_lists(report: Report, glyphs: Glyphs, where: str) -> Iterator[RenderableType]:
    """Yield a list for each collector for comparison; the session's own lists are about the others."""
    beside = report.for_comparison()
    for own in report.collector_scores:
        if own.collector not in beside:
            continue
        shares = (
            ("recall", own.overall.recall),
            ("precision", own.overall.precision),
            ("F1", own.overall.f1),
        )
        figures = ", ".join(f"{name} {'n/a' if share is None else f'{share:.2f}'}" for name, share in shares)
        yield Text("")
        yield Text(f"{inert(own.collector)} alone, for comparison: {figures}", style="bold")
        rows = list(_rows(own, glyphs))
        grid = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(4):
            grid.add_column(overflow="fold")
        for row in rows[:MOST_LISTED]:
            grid.add_row(*row)
        yield grid
        if len(rows) > MOST_LISTED:
            text = f"and {len(rows) - MOST_LISTED} more; for all: {where}"
            yield indented(text, "dim")
        if own.rows_not_claimed:
            names = ", ".join(
                f"{row.kind} {row.attribute}" if row.attribute else row.kind for row in own.rows_not_claimed
            )
            text = f"not claimed by its manifest, and not counted: {inert(names, 500)}"
            yield indented(text, "dim")


def _rows(own: CollectorScores, glyphs: Glyphs) -> Iterator[_Cells]:
    for missed in own.false_negatives:
        expected = f"expected {value_text(missed.expected)}" if missed.attribute else ""
        hard = f" (hard: {inert(missed.hard)})" if missed.hard else ""
        yield _row(f"  {glyphs.bad} missed", missed.kind, missed.key, missed.attribute, expected + hard)
    for false in own.false_positives:
        yield _row(f"  {glyphs.bad} false", false.kind, false.key, None, "")
    for wrong in own.wrong_values:
        values = f"{value_text(wrong.found)} for {value_text(wrong.expected)}"
        yield _row(f"  {glyphs.warning} wrong", wrong.kind, wrong.key, wrong.attribute, values)


def _row(judgement: str, kind: str, key: str, attribute: str | None, detail: str) -> _Cells:
    place = f"{inert(key, 300)} {inert(attribute)}" if attribute else inert(key, 300)
    return Text(judgement), shown(kind, "dim", limit=40), Text(place), Text(detail, style="dim")
