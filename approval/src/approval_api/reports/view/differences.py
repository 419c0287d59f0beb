"""Missed facts, false positives and wrong values, each with its evidence; and everything found."""

from collections.abc import Sequence

from approval_api.reports.view.blocks import (
    Drawing,
    Quoted,
    Section,
    Table,
    Text,
    Tone,
    first_rows,
    in_a_row,
    quoted,
    table,
    text,
)
from approval_api.reports.view.wording import data, names, plain, value
from dryrun_contract.kinds import title_of
from dryrun_contract.report import Report
from dryrun_contract.scores import DiscoveryEvidence, HardCase, MissedFact, Scores, WrongValue

_JUDGEMENTS: dict[str, tuple[str, Tone]] = {
    "found": ("found", "good"),
    "missed": ("missed", "bad"),
    "wrong": ("found, a value is wrong", "warn"),
    "incomplete": ("found, a value is missing", "warn"),
    "not_evaluable": ("not evaluable", "quiet"),
}


def network(report: Report) -> Section | None:
    """Return the network as it is beside the network as it was reported."""
    if report.network is None:
        return None
    return Section("network", "The network, as it is and as it was found", (Drawing(report.network),))


def differences(report: Report) -> Section | None:
    """Return missed facts, false positives, wrong values, and what could not be evaluated."""
    scores = report.scores
    if scores is None:
        return None
    return Section(
        "differences",
        "Missed, false, wrong values",
        (_missed(scores), _false(scores), _wrong(scores), _not_evaluable(scores), _hard(scores)),
    )


def found(report: Report) -> Section | None:
    """Return what was found, resource by resource."""
    scores = report.scores
    if scores is None:
        return None
    facts, hidden = first_rows(scores.found)
    rows = [
        (
            quoted(title_of(fact.kind), prose=True),
            quoted(fact.key),
            data(fact.data),
            _reported_by(fact.evidence),
        )
        for fact in facts
    ]
    listed = table(
        "Found",
        ("Kind", "Where", "Reported values", "Reported by"),
        rows,
        "No fact was found.",
        counted=True,
        hidden=hidden,
    )
    return Section("found", "Everything that was found", (listed,))


def _missed(scores: Scores) -> Table:
    facts, hidden = first_rows(scores.false_negatives)
    rows = [_missed_row(fact) for fact in facts]
    columns = ("Kind", "Where", "What is missing", "Evidence", "Why it is hard")
    return table("Missed facts", columns, rows, "Nothing was missed.", counted=True, hidden=hidden)


def _missed_row(fact: MissedFact) -> tuple[Text, ...]:
    if fact.attribute is None:
        what = text("the whole resource")
        seen = (
            text("not even its host was found")
            if fact.nearest is None
            else text("nearest that was found: ", Quoted(fact.nearest))
        )
        if fact.kind == "host":
            seen = text("no collector reported this host")
    else:
        what = text(Quoted(fact.attribute), ", which is ", *value(fact.expected).pieces)
        seen = text("found without it by ", *names(fact.collectors, "no collector").pieces)
    return (
        quoted(title_of(fact.kind), prose=True),
        quoted(fact.key),
        what,
        seen,
        quoted(fact.hard, prose=True),
    )


def _false(scores: Scores) -> Table:
    discoveries, hidden = first_rows(scores.false_positives)
    rows = [
        (quoted(title_of(one.kind), prose=True), quoted(one.key), data(one.data), _reported_by(one.evidence))
        for one in discoveries
    ]
    columns = ("Kind", "Where", "Reported values", "Reported by")
    return table("False positives", columns, rows, "There is no false positive.", counted=True, hidden=hidden)


def _wrong(scores: Scores) -> Table:
    values, hidden = first_rows(scores.wrong_values)
    rows = [
        (
            quoted(title_of(one.kind), prose=True),
            quoted(one.key),
            quoted(one.attribute),
            value(one.expected),
            value(one.found),
            _reporters(one),
            quoted(one.hard, prose=True),
        )
        for one in values
    ]
    columns = ("Kind", "Where", "Attribute", "Expected", "Reported", "Reported by", "Why it is hard")
    return table("Wrong values", columns, rows, "No value was wrong.", counted=True, hidden=hidden)


def _reporters(wrong: WrongValue) -> Text:
    reports = (
        (Quoted(one.collector), f" ({100 * one.confidence:.0f} %): ", Quoted(plain(one.value), 80))
        for one in wrong.evidence
    )
    return in_a_row(reports, len(wrong.evidence), "; ")


def _reported_by(evidence: Sequence[DiscoveryEvidence]) -> Text:
    reports = ((Quoted(one.collector), f" ({100 * one.confidence:.0f} %)") for one in evidence)
    return in_a_row(reports, len(evidence), "; ")


def _not_evaluable(scores: Scores) -> Table:
    facts, hidden = first_rows(scores.not_evaluable)
    rows = [
        (
            quoted(title_of(fact.kind), prose=True),
            quoted(fact.key),
            text("credential refused by ", Quoted(fact.service)),
            quoted(fact.hard, prose=True),
        )
        for fact in facts
    ]
    columns = ("Kind", "Where", "Why", "Why it is hard")
    return table(
        "Not evaluable", columns, rows, "Everything could be evaluated.", counted=True, hidden=hidden
    )


def _hard(scores: Scores) -> Table:
    cases, hidden = first_rows(scores.hard_cases)
    rows = [_judged(case) for case in cases]
    columns = ("Kind", "Where", "Why it is hard", "Judgement")
    note = "Facts that a good collector may miss. Scores are given with and without them."
    return table(
        "Hard cases",
        columns,
        rows,
        "This template has no hard case.",
        note=note if rows else "",
        counted=True,
        hidden=hidden,
    )


def _judged(case: HardCase) -> tuple[Text, ...]:
    word, tone = _JUDGEMENTS[case.judgement]
    return (
        quoted(title_of(case.kind), prose=True),
        quoted(case.key),
        quoted(case.reason, prose=True),
        text(word, tone=tone),
    )
