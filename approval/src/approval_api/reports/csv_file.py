"""The report as CSV for spreadsheets, one row per resource or wrong value; no cell is a formula."""

import csv
import io
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from approval_api.reports.view.wording import plain
from dryrun_contract.report import Report
from dryrun_contract.scores import (
    DiscoveryEvidence,
    FalsePositive,
    MissedFact,
    Scores,
    ValueEvidence,
    WrongValue,
)
from dryrun_contract.text import printable

COLUMNS = [
    "judgement",
    "kind",
    "where",
    "attribute",
    "expected",
    "reported",
    "collectors",
    "confidence",
    "hard",
    "alone",
]
CELL_CHARACTERS = 2000
_FORMULA_STARTS = tuple("=+-@|%\uff1d\uff0b\uff0d\uff20")
"""With their full-width forms: some spreadsheets treat them alike."""


def render_csv(report: Report) -> str:
    """Return the report's scores as CSV (RFC 4180); without scores, the heading only."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([cell_text(cell) for cell in row] for row in _rows(report))
    return file.getvalue()


def cell_text(value: str, limit: int = CELL_CHARACTERS) -> str:
    r"""Return `value` so that no spreadsheet computes it: a cell that could begin a formula gets a leading '.

    >>> cell_text("=1+1")
    "'=1+1"
    >>> cell_text("10.0.0.1")
    '10.0.0.1'
    """
    shown = printable(value, limit=limit)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA_STARTS) else shown


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield the rows of all collectors together, then those of each alone, named in the last column."""
    scores = report.scores
    if scores is None:
        return
    yield from ((*row, "") for row in _together(scores))
    for own in report.collector_scores:
        differences = _differences(own.false_negatives, own.false_positives, own.wrong_values)
        yield from ((*row, own.collector) for row in differences)


def _together(scores: Scores) -> Iterator[tuple[str, ...]]:
    for fact in scores.found:
        yield _row(
            "found", fact.kind, fact.key, reported=_words(fact.data), evidence=fact.evidence, hard=fact.hard
        )
    yield from _differences(scores.false_negatives, scores.false_positives, scores.wrong_values)
    for hidden in scores.not_evaluable:
        yield _row("not evaluable", hidden.kind, hidden.key, hard=hidden.hard)


def _differences(
    false_negatives: Sequence[MissedFact],
    false_positives: Sequence[FalsePositive],
    wrong_values: Sequence[WrongValue],
) -> Iterator[tuple[str, ...]]:
    for missed in false_negatives:
        expected = "" if missed.expected is None else plain(missed.expected)
        yield _row("missed", missed.kind, missed.key, missed.attribute, expected=expected, hard=missed.hard)
    for one in false_positives:
        yield _row("false positive", one.kind, one.key, reported=_words(one.data), evidence=one.evidence)
    for wrong in wrong_values:
        for one_value in wrong.evidence:
            yield _row(
                "wrong",
                wrong.kind,
                wrong.key,
                wrong.attribute,
                expected=plain(wrong.expected),
                reported=plain(one_value.value),
                evidence=(one_value,),
                hard=wrong.hard,
            )


def _row(
    judgement: str,
    kind: str,
    where: str,
    attribute: str | None = None,
    *,
    expected: str = "",
    reported: str = "",
    evidence: Sequence[DiscoveryEvidence | ValueEvidence] = (),
    hard: str | None = None,
) -> tuple[str, ...]:
    collectors = ", ".join(sorted({one.collector for one in evidence}))
    confidence = f"{max(one.confidence for one in evidence):g}" if evidence else ""
    return (judgement, kind, where, attribute or "", expected, reported, collectors, confidence, hard or "")


def _words(data: dict[str, JsonValue]) -> str:
    return ", ".join(f"{name}: {plain(value)}" for name, value in sorted(data.items()))
