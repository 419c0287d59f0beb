"""What was missed, invented and told wrongly, each with its evidence; and everything that was found."""

from collections.abc import Sequence

from approval_api.reports.view.blocks import (
    Drawing,
    Section,
    Table,
    Text,
    Told,
    Tone,
    first_rows,
    in_a_row,
    table,
    text,
    told,
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
    """Return the network as it is beside the network as it was told."""
    if report.network is None:
        return None
    return Section("network", "The network, as it is and as it was found", (Drawing(report.network),))


def differences(report: Report) -> Section | None:
    """Return what was not as it should be."""
    scores = report.scores
    if scores is None:
        return None
    return Section(
        "differences",
        "Missed, invented, told wrongly",
        (_missed(scores), _invented(scores), _wrong(scores), _not_evaluable(scores), _hard(scores)),
    )


def found(report: Report) -> Section | None:
    """Return what was found, thing by thing."""
    scores = report.scores
    if scores is None:
        return None
    facts, hidden = first_rows(scores.found)
    rows = [
        (told(title_of(fact.kind), prose=True), told(fact.key), data(fact.data), _said(fact.evidence))
        for fact in facts
    ]
    listed = table(
        "Found",
        ("Kind", "Where", "What was told", "By whom"),
        rows,
        "Nothing that is true was found.",
        counted=True,
        hidden=hidden,
    )
    return Section("found", "Everything that was found", (listed,))


def _missed(scores: Scores) -> Table:
    facts, hidden = first_rows(scores.false_negatives)
    rows = [_missed_row(fact) for fact in facts]
    columns = ("Kind", "Where", "What is missing", "Evidence", "Hard because")
    return table(
        "Not found: false negatives", columns, rows, "Nothing was missed.", counted=True, hidden=hidden
    )


def _missed_row(fact: MissedFact) -> tuple[Text, ...]:
    if fact.attribute is None:
        what = text("the whole thing")
        seen = (
            text("not even its host was found")
            if fact.nearest is None
            else text("nearest that was found: ", Told(fact.nearest))
        )
        if fact.kind == "host":
            seen = text("nobody told of this host")
    else:
        what = text(Told(fact.attribute), ", which is ", *value(fact.expected).pieces)
        seen = text("found without it by ", *names(fact.collectors, "nobody").pieces)
    return (told(title_of(fact.kind), prose=True), told(fact.key), what, seen, told(fact.hard, prose=True))


def _invented(scores: Scores) -> Table:
    things, hidden = first_rows(scores.false_positives)
    rows = [
        (told(title_of(one.kind), prose=True), told(one.key), data(one.data), _said(one.evidence))
        for one in things
    ]
    columns = ("Kind", "Where", "What was told", "By whom")
    return table(
        "Invented: false positives", columns, rows, "Nothing was invented.", counted=True, hidden=hidden
    )


def _wrong(scores: Scores) -> Table:
    values, hidden = first_rows(scores.wrong_values)
    rows = [
        (
            told(title_of(one.kind), prose=True),
            told(one.key),
            told(one.attribute),
            value(one.expected),
            value(one.found),
            _witnesses(one),
            told(one.hard, prose=True),
        )
        for one in values
    ]
    columns = ("Kind", "Where", "Attribute", "True", "Told", "By whom", "Hard because")
    return table("Wrong values", columns, rows, "No value was wrong.", counted=True, hidden=hidden)


def _witnesses(wrong: WrongValue) -> Text:
    said = (
        (Told(one.collector), f" ({one.confidence:.0%}): ", Told(plain(one.value), 80))
        for one in wrong.evidence
    )
    return in_a_row(said, len(wrong.evidence), "; ")


def _said(evidence: Sequence[DiscoveryEvidence]) -> Text:
    said = ((Told(one.collector), f" ({one.confidence:.0%})") for one in evidence)
    return in_a_row(said, len(evidence), "; ")


def _not_evaluable(scores: Scores) -> Table:
    facts, hidden = first_rows(scores.not_evaluable)
    rows = [
        (
            told(title_of(fact.kind), prose=True),
            told(fact.key),
            text("credential refused by ", Told(fact.service)),
            told(fact.hard, prose=True),
        )
        for fact in facts
    ]
    columns = ("Kind", "Where", "Why", "Hard because")
    return table(
        "Not evaluable", columns, rows, "Everything could be evaluated.", counted=True, hidden=hidden
    )


def _hard(scores: Scores) -> Table:
    cases, hidden = first_rows(scores.hard_cases)
    rows = [_judged(case) for case in cases]
    columns = ("Kind", "Where", "Hard because", "What became of it")
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
        told(title_of(case.kind), prose=True),
        told(case.key),
        told(case.reason, prose=True),
        text(word, tone=tone),
    )
