"""The report's things as CSV for spreadsheets, one row each; no cell is a formula."""

import csv
import io
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from approval_api.reports.view.wording import plain
from dryrun_contract.report import Report
from dryrun_contract.scores import DiscoveryEvidence, ValueEvidence
from dryrun_contract.text import printable

COLUMNS = ["judgement", "kind", "where", "attribute", "true", "told", "collectors", "confidence", "hard"]
CELL_CHARACTERS = 2000
_FORMULA_STARTS = tuple("=+-@|%\uff1d\uff0b\uff0d\uff20")
"""With their full-width forms: some spreadsheets treat them alike."""


def render_csv(report: Report) -> str:
    """Return the comparison as CSV (RFC 4180); a report without scores has its heading only."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([cell_text(cell) for cell in row] for row in _rows(report))
    return file.getvalue()


def cell_text(value: str) -> str:
    r"""Return `value` so that no spreadsheet computes it: what could begin a formula gets a leading '.

    >>> cell_text("=1+1")
    "'=1+1"
    >>> cell_text("10.0.0.1")
    '10.0.0.1'
    """
    shown = printable(value, limit=CELL_CHARACTERS)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA_STARTS) else shown


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    scores = report.scores
    if scores is None:
        return
    for fact in scores.found:
        yield _row("found", fact.kind, fact.key, told=_told(fact.data), said=fact.evidence, hard=fact.hard)
    for missed in scores.false_negatives:
        expected = "" if missed.expected is None else plain(missed.expected)
        yield _row("missed", missed.kind, missed.key, missed.attribute, true=expected, hard=missed.hard)
    for one in scores.false_positives:
        yield _row("false positive", one.kind, one.key, told=_told(one.data), said=one.evidence)
    for wrong in scores.wrong_values:
        for said in wrong.evidence:
            true, told = plain(wrong.expected), plain(said.value)
            place = (wrong.kind, wrong.key, wrong.attribute)
            yield _row("wrong", *place, true=true, told=told, said=(said,), hard=wrong.hard)
    for hidden in scores.not_evaluable:
        yield _row("not evaluable", hidden.kind, hidden.key, hard=hidden.hard)


def _row(
    judgement: str,
    kind: str,
    where: str,
    attribute: str | None = None,
    *,
    true: str = "",
    told: str = "",
    said: Sequence[DiscoveryEvidence | ValueEvidence] = (),
    hard: str | None = None,
) -> tuple[str, ...]:
    who = ", ".join(sorted({one.collector for one in said}))
    sure = f"{max(one.confidence for one in said):g}" if said else ""
    return (judgement, kind, where, attribute or "", true, told, who, sure, hard or "")


def _told(data: dict[str, JsonValue]) -> str:
    return ", ".join(f"{name}: {plain(value)}" for name, value in sorted(data.items()))
