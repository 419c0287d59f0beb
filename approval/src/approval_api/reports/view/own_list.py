"""What each collector alone missed, or reported falsely or wrongly: the true value beside what it said."""

from collections.abc import Collection, Iterator

from approval_api.reports.view.blocks import Block, Quoted, Text, first_rows, quoted, table, text
from approval_api.reports.view.wording import data, value
from dryrun_contract.kinds import title_of
from dryrun_contract.report import Report
from dryrun_contract.scores import MAX_OWN_LISTED, CollectorScores


def own_lists(report: Report) -> Block:
    """Return one table for all collectors; the collectors for comparison come first."""
    beside = report.for_comparison()
    ordered = sorted(report.collector_scores, key=lambda one: (one.collector not in beside, one.collector))
    rows = tuple((_named(one, beside), *row) for one in ordered for row in _rows(one))
    shown, hidden = first_rows(rows)
    columns = ("Collector", "", "Kind", "Where", "Attribute", "True", "Reported", "Why it is hard")
    return table(
        "Each collector alone: missed, false, wrong values",
        columns,
        shown,
        "None of them missed anything or reported anything false.",
        note=f"Only what it claims, else the kinds that it reports; at most {MAX_OWN_LISTED} of each sort.",
        counted=True,
        hidden=hidden,
    )


def _named(scores: CollectorScores, beside: Collection[str]) -> Text:
    return text(Quoted(scores.collector, limit=40), ", for comparison" if scores.collector in beside else "")


def _rows(scores: CollectorScores) -> Iterator[tuple[Text, ...]]:
    for missed in scores.false_negatives:
        yield (
            text("missed", tone="warn"),
            quoted(title_of(missed.kind), prose=True),
            quoted(missed.key),
            quoted(missed.attribute),
            text() if missed.attribute is None else value(missed.expected),
            text("-", tone="quiet"),
            quoted(missed.hard, prose=True),
        )
    for false in scores.false_positives:
        yield (
            text("false", tone="bad"),
            quoted(title_of(false.kind), prose=True),
            quoted(false.key),
            text(),
            text("-", tone="quiet"),
            data(false.data),
            text(),
        )
    for wrong in scores.wrong_values:
        yield (
            text("wrong", tone="bad"),
            quoted(title_of(wrong.kind), prose=True),
            quoted(wrong.key),
            text(Quoted(wrong.attribute)),
            value(wrong.expected),
            value(wrong.found),
            quoted(wrong.hard, prose=True),
        )
