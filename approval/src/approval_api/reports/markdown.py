"""The report as Markdown: the one renderer. Every text that is not ours is made inert first."""

import json
from collections.abc import Iterable, Iterator, Sequence

from pydantic import JsonValue

from approval_api.reports.inert import inert
from approval_api.reports.model import Report
from approval_api.scores import Averages, ScoreRow, Scores
from dryrun_contract.event import TargetTraffic

MAX_LISTED = 200
"""Rows of a list; what is beyond is counted, and stands in the JSON report."""


def render(report: Report) -> str:
    """Return the whole report as GitHub-flavoured Markdown, ending in a line break."""
    parts = [
        _head(report),
        _verdict(report),
        _scores(report),
        _lists(report),
        _harm(report),
        _traffic(report),
        _phases(report),
        _collectors(report),
        _provenance(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: Report) -> str:
    session = report.session
    lines = [f"# Dry-run of {inert(report.template.id)}", ""]
    if not report.final:
        lines += [f"**Not final: the session is still {inert(session.phase)}; figures may change.**", ""]
    if not report.history_complete:
        lines += ["**Incomplete: events of this session were lost; figures are of what is left.**", ""]
    lines.append(f"- Session: {inert(session.id)}")
    if session.outcome is not None:
        reason = f": {inert(session.reason, limit=500)}" if session.reason else ""
        lines.append(f"- Outcome: **{session.outcome}**{reason}")
    lines.append(
        f"- Asked for by {inert(session.requested_by)} at {session.requested_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    return "\n".join(lines)


def _verdict(report: Report) -> str:
    if report.verdict is None:
        return ""
    rows = [
        (inert(result.criterion), result.status.replace("_", " "), result.detail)
        for result in report.verdict.results
    ]
    title = "PASSED" if report.verdict.passed else "FAILED"
    return f"## Verdict: {title}\n\n" + (
        _table(("Criterion", "", "Figures"), rows) if rows else "No criterion was set."
    )


def _scores(report: Report) -> str:
    scores = report.scores
    if scores is None:
        return f"## Scores\n\nNone: {report.scores_missing}."
    table = _table(
        ("", "Precision", "Recall", "F1", "Right", "Invented or wrong", "Missed", "Not evaluable"),
        [*map(_score_row, scores.rows), *_overall_rows(scores)],
    )
    coverage = _share(scores.overall.coverage)
    return f"## Scores\n\n{table}\n\n{coverage} of what is true could be found with the credentials given."


def _score_row(row: ScoreRow) -> tuple[str, ...]:
    return (
        inert(row.kind) if row.attribute is None else f"{inert(row.kind)} {inert(row.attribute)}",
        _share(row.precision),
        _share(row.recall),
        _share(row.f1),
        str(row.true_positives),
        str(row.false_positives),
        str(row.false_negatives),
        str(row.not_evaluable),
    )


def _overall_rows(scores: Scores) -> list[tuple[str, ...]]:
    def row(title: str, averages: Averages) -> tuple[str, ...]:
        figures = (averages.precision, averages.recall, averages.f1)
        return (f"**{title}**", *map(_share, figures), "", "", "", "")

    rows = [row("overall", scores.overall)]
    if scores.overall_without_hard != scores.overall:
        rows.append(row("overall without hard cases", scores.overall_without_hard))
    return rows


def _lists(report: Report) -> str:
    scores = report.scores
    if scores is None:
        return ""
    found = [(inert(fact.kind), inert(fact.key), _data(fact.data)) for fact in scores.found]
    missed = [
        (
            inert(fact.kind),
            inert(fact.key),
            "" if fact.attribute is None else f"without {inert(fact.attribute)}",
            inert(fact.hard) if fact.hard else "",
        )
        for fact in scores.false_negatives
    ]
    invented = [
        (inert(one.kind), inert(one.key), _data(one.data), inert(", ".join(one.collectors)))
        for one in scores.false_positives
    ]
    wrong = [
        (inert(one.kind), inert(one.key), inert(one.attribute), _value(one.expected), _value(one.found))
        for one in scores.wrong_values
    ]
    hidden = [
        (inert(fact.kind), inert(fact.key), f"credential refused by {inert(fact.service)}")
        for fact in scores.not_evaluable
    ]
    return "\n\n".join(
        (
            _list("Found", ("Kind", "Where", "What was told"), found, "Nothing that is true was found."),
            _list("Not found", ("Kind", "Where", "", "Hard because"), missed, "Nothing was missed."),
            _list("Invented", ("Kind", "Where", "What was told", "By"), invented, "Nothing was invented."),
            _list(
                "Wrong values", ("Kind", "Where", "Attribute", "True", "Told"), wrong, "No value was wrong."
            ),
            _list("Not evaluable", ("Kind", "Where", "Why"), hidden, "Everything could be evaluated."),
        )
    )


def _harm(report: Report) -> str:
    rows = [
        (
            inert(harm.service),
            harm.harm.replace("_", " "),
            inert(", ".join(harm.during) or "no collector"),
            inert(harm.detail),
        )
        for harm in report.harmed
    ]
    nothing = "No target died or turned unhealthy while collectors ran."
    if not report.collectors:
        nothing = "Unknown: no collector has run."
    return _list("Harmed targets", ("Target", "What", "During", "Detail"), rows, nothing)


def _traffic(report: Report) -> str:
    traffic = report.traffic
    if traffic is None:
        return "## Traffic\n\nNot measured."

    def row(service: str, target: TargetTraffic) -> tuple[str, ...]:
        at_least = "at least " if target.at_least else ""
        figures = (target.rx_packets, target.rx_bytes, target.tx_packets, target.tx_bytes)
        return (inert(service), *(f"{at_least}{figure}" for figure in figures))

    table = _table(
        ("Target", "Packets received", "Bytes received", "Packets sent", "Bytes sent"),
        [row(service, target) for service, target in sorted(traffic.targets.items())],
    )
    return (
        f"## Traffic\n\nPeak: {traffic.peak_packets_per_second:.0f} packets/s to one target "
        f"(means over {traffic.sampling_seconds:g} s).\n\n{table}"
    )


def _phases(report: Report) -> str:
    rows = [
        (phase.phase.replace("_", " "), "…" if phase.seconds is None else f"{phase.seconds:.1f} s")
        for phase in report.phases
    ]
    return _list("Duration", ("Phase", "Time"), rows, "Nothing has happened yet.")


def _collectors(report: Report) -> str:
    rows = []
    for run in report.collectors:
        state = "complete" if run.complete else "incomplete" if run.ended else "running"
        if run.truncated:
            state = "truncated"
        rows.append(
            (
                inert(run.collector),
                f"{state}: {inert(run.reason)}" if run.reason else state,
                "…" if run.seconds is None else f"{run.seconds:.1f} s",
                str(run.discoveries),
                str(run.warnings),
            )
        )
    text = _list(
        "Collectors", ("Collector", "", "Time", "Discoveries", "Warnings"), rows, "No collector has run."
    )
    examples = [
        f"- {inert(run.collector)}: {inert(example)}"
        for run in report.collectors
        for example in run.warning_examples
    ]
    return text + ("\n\nFirst warnings:\n\n" + "\n".join(examples) if examples else "")


def _provenance(report: Report) -> str:
    template = report.template
    isolation = report.isolation
    rows = [(f"template {inert(template.id)}, seed {template.seed}", inert(template.digest))]
    rows += [(f"collector {inert(run.image)}", inert(run.image_id)) for run in report.collectors]
    rows += [
        (f"{inert(image.service)}: {inert(image.image)}", inert(image.image_id)) for image in report.images
    ]
    probe = "not probed"
    if isolation is not None:
        probe = f"{'isolated' if isolation.isolated else 'NOT ISOLATED'} ({inert(isolation.detail)})"
    return f"## What ran\n\nNetwork: {probe}.\n\n" + _table(("What", "Digest"), rows)


def _list(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> str:
    if not rows:
        return f"## {title}\n\n{nothing}"
    more = len(rows) - MAX_LISTED
    note = f"\n\nand {more} more; the JSON report has them all." if more > 0 else ""
    return f"## {title} ({len(rows)})\n\n{_table(headings, rows[:MAX_LISTED])}{note}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield "| " + " | ".join(headings) + " |"
        yield "|" + " --- |" * len(headings)
        for row in rows:
            yield "| " + " | ".join(row) + " |"

    return "\n".join(lines())


def _data(data: dict[str, JsonValue]) -> str:
    told = ", ".join(f"{name}: {_plain(value)}" for name, value in sorted(data.items()))
    return inert(told) if told else ""


def _value(value: JsonValue) -> str:
    if isinstance(value, list):
        return inert(", ".join(map(_plain, value)))
    return inert(_plain(value))


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
