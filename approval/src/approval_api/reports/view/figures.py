"""Scores with and without hard cases, and every collector in a column of its own."""

from collections.abc import Sequence

from approval_api.reports.view.blocks import (
    MAX_BARS,
    MAX_ROWS,
    Bar,
    Bars,
    Block,
    Column,
    Paragraph,
    Quoted,
    Section,
    Segment,
    Text,
    Tone,
    figure,
    quoted,
    table,
    text,
)
from approval_api.reports.view.own_list import own_lists
from approval_api.reports.view.wording import count, seconds, share
from dryrun_contract.kinds import title_of
from dryrun_contract.report import Report
from dryrun_contract.scores import ScoreRow, Scores

_LEGEND: tuple[tuple[Tone, str], ...] = (
    ("good", "found"),
    ("bad", "false or wrong"),
    ("warn", "missed"),
    ("quiet", "not evaluable"),
)


def scores(report: Report) -> Section:
    """Return the scores of all collectors together."""
    judged = report.scores
    if judged is None:
        return Section(
            "scores", "Scores", (Paragraph(text(f"None: {report.scores_missing}.", tone="quiet")),)
        )
    easy = {(row.kind, row.attribute): row for row in judged.rows_without_hard}
    shown, hidden = _first(judged)
    rows = [_row(row, easy.get((row.kind, row.attribute))) for row in shown]
    rows.append(_overall(judged))
    columns = (
        "",
        figure("Found"),
        figure("Missed"),
        figure("False positives"),
        figure("Not evaluable"),
        figure("Precision"),
        figure("Recall"),
        figure("F1"),
        figure("Precision without hard"),
        figure("Recall without hard"),
    )
    coverage = share(judged.overall.coverage)
    return Section(
        "scores",
        "Scores",
        (
            _chart(judged),
            table("All collectors together", columns, rows, "", note=_together(report), hidden=hidden),
            Paragraph(text(f"{coverage} of all facts could be found with the credentials given.")),
            *_not_looked_for(judged),
        ),
    )


def _not_looked_for(judged: Scores) -> tuple[Block, ...]:
    if not judged.not_looked_for:
        return ()
    kinds = [f"{title_of(kind)} ({number:,})" for kind, number in judged.not_looked_for.items()]
    said = (
        "Missed because no scored collector looks for it: ",
        Quoted(", ".join(kinds), prose=True),
    )
    return (Paragraph(text(*said, ".")),)


def _first(judged: Scores) -> tuple[Sequence[ScoreRow], int]:
    """Return the rows that are shown, with room for the overall row, and the number of hidden rows."""
    return judged.rows[: MAX_ROWS - 1], max(len(judged.rows) - MAX_ROWS + 1, 0)


def _together(report: Report) -> str:
    left_out = " Collectors for comparison are left out." if report.for_comparison() else ""
    return f"Overall: each row weighs the same.{left_out}"


def _name(row: ScoreRow) -> Text:
    kind = title_of(row.kind)
    return (
        text(Quoted(kind, prose=True))
        if row.attribute is None
        else text(
            Quoted(kind, prose=True), " ", Quoted(row.attribute.replace("_", " "), prose=True), tone="quiet"
        )
    )


def _row(row: ScoreRow, easy: ScoreRow | None) -> tuple[Text, ...]:
    return (
        _name(row),
        text(count(row.true_positives)),
        text(count(row.false_negatives), tone="warn" if row.false_negatives else "quiet"),
        text(count(row.false_positives), tone="bad" if row.false_positives else "quiet"),
        text(count(row.not_evaluable), tone="quiet"),
        *(text(share(one)) for one in (row.precision, row.recall, row.f1)),
        text(share(easy.precision) if easy else "-"),
        text(share(easy.recall) if easy else "-"),
    )


def _overall(judged: Scores) -> tuple[Text, ...]:
    whole, easy = judged.overall, judged.overall_without_hard
    shares = (whole.precision, whole.recall, whole.f1, easy.precision, easy.recall)
    blank = (text(), text(), text(), text())
    return (text("overall", strong=True), *blank, *(text(share(one), strong=True) for one in shares))


def _chart(judged: Scores) -> Bars:
    bars = []
    kinds = [row for row in judged.rows if row.attribute is None]
    for row in kinds[:MAX_BARS]:
        parts = (row.true_positives, row.false_positives, row.false_negatives, row.not_evaluable)
        segments = tuple(
            Segment(number, tone, label) for number, (tone, label) in zip(parts, _LEGEND, strict=True)
        )
        figure_text = (
            f"{row.true_positives:,} of {row.true_positives + row.false_negatives + row.not_evaluable:,}"
        )
        bars.append(Bar(text(Quoted(title_of(row.kind), prose=True)), segments, figure_text))
    hidden = max(len(kinds) - MAX_BARS, 0)
    return Bars("Resources by kind", tuple(bars), _LEGEND, shares=True, hidden=hidden)


def collectors(report: Report) -> Section:
    """Return every collector beside the others and beside all of them together."""
    blocks: list[Block] = [_runs(report)]
    if report.scores is not None and report.collector_scores:
        blocks.insert(0, _side_by_side(report, report.scores))
        blocks.append(own_lists(report))
    warnings = [
        (quoted(run.collector), quoted(example, limit=300))
        for run in report.collectors
        for example in run.warning_examples
    ]
    if warnings:
        blocks.append(table("First warnings", ("Collector", "Warning"), warnings, "", counted=True))
    return Section("collectors", "Collectors side by side", tuple(blocks))


def _side_by_side(report: Report, judged: Scores) -> Block:
    alone = [
        (
            one.collector,
            {(row.kind, row.attribute): row for row in one.rows},
            {(row.kind, row.attribute): row for row in one.rows_not_claimed},
        )
        for one in report.collector_scores
    ]
    rows = []
    shown, hidden = _first(judged)
    for row in shown:
        identity = (row.kind, row.attribute)
        cells = [
            _aside(aside[identity]) if identity in aside else _cell(found.get(identity))
            for _, found, aside in alone
        ]
        rows.append((_name(row), _cell(row), *cells))
    averages = [one.overall for one in report.collector_scores]
    rows.append(
        (
            text("recall, over its own rows", strong=True),
            text(share(judged.overall.recall), strong=True),
            *(text(share(one.recall), strong=True) for one in averages),
        )
    )
    note = (
        "Facts found, and false positives and wrong values; a dash: it reports nothing of this kind; "
        "in brackets: not claimed by its manifest, and not counted for or against it."
    )
    beside = report.for_comparison()
    if beside:
        note += " Discoveries of one for comparison count in its own column only."
    own = [figure(_named(name, for_comparison=name in beside)) for name, _, _ in alone]
    columns: tuple[str | Column, ...] = ("", figure("Together"), *own)
    return table("What each found alone", columns, rows, "", note=note, hidden=hidden)


def _named(collector: str, *, for_comparison: bool) -> Text:
    return text(Quoted(collector, limit=40), ", for comparison" if for_comparison else "")


def _cell(row: ScoreRow | None) -> Text:
    if row is None:
        return text("-", tone="quiet")
    true = row.true_positives + row.false_negatives
    wrong = f", {row.false_positives} wrong" if row.false_positives else ""
    tone: Tone = "bad" if row.false_positives else "good" if row.true_positives == true and true else ""
    return text(f"{row.true_positives:,} of {true:,}{wrong}", tone=tone)


def _aside(row: ScoreRow) -> Text:
    return text("[", *_cell(row).pieces, "]", tone="quiet")


def _runs(report: Report) -> Block:
    rows = []
    for run in report.collectors:
        state = "complete" if run.complete else "incomplete" if run.ended else "running"
        if run.truncated:
            state = "truncated"
        tone: Tone = "good" if state == "complete" else "warn"
        why = text(state, ": ", Quoted(run.reason, 300), tone=tone) if run.reason else text(state, tone=tone)
        lines = sum(
            part.lines
            for logs in (report.logs or {}).values()
            for part in logs.by_collectors
            if part.collectors == (run.collector,)
        )
        rows.append(
            (
                _named(run.collector, for_comparison=run.purpose == "comparison"),
                why,
                text(seconds(run.seconds)),
                text(count(run.discoveries)),
                text(count(run.warnings)),
                text("-" if report.logs is None else count(lines)),
            )
        )
    columns = (
        "Collector",
        "How it ended",
        figure("Time"),
        figure("Discoveries"),
        figure("Warnings"),
        figure("Log lines caused"),
    )
    return table("Runs", columns, rows, "No collector has run.")
