"""What was missed, invented and told wrongly, each with its evidence; and everything that was found."""

from collections.abc import Iterable

from approval_api.reports.model import Report
from approval_api.reports.view.blocks import (
    Drawing,
    Piece,
    Section,
    Table,
    Text,
    Told,
    Tone,
    table,
    text,
    told,
)
from approval_api.reports.view.wording import data, names, plain, value
from approval_api.scores import HardCase, MissedFact, Scores, Testimony, WrongValue

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
    rows = [
        (told(fact.kind, prose=True), told(fact.key), data(fact.data), _said(fact.evidence))
        for fact in scores.found
    ]
    listed = table(
        "Found",
        ("Kind", "Where", "What was told", "By whom"),
        rows,
        "Nothing that is true was found.",
        counted=True,
    )
    return Section("found", "Everything that was found", (listed,))


def _missed(scores: Scores) -> Table:
    rows = [_missed_row(fact) for fact in scores.false_negatives]
    columns = ("Kind", "Where", "What is missing", "Evidence", "Hard because")
    return table("Not found: false negatives", columns, rows, "Nothing was missed.", counted=True)


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
    return (told(fact.kind, prose=True), told(fact.key), what, seen, told(fact.hard, prose=True))


def _invented(scores: Scores) -> Table:
    rows = [
        (told(one.kind, prose=True), told(one.key), data(one.data), _said(one.evidence))
        for one in scores.false_positives
    ]
    columns = ("Kind", "Where", "What was told", "By whom")
    return table("Invented: false positives", columns, rows, "Nothing was invented.", counted=True)


def _wrong(scores: Scores) -> Table:
    rows = [
        (
            told(one.kind, prose=True),
            told(one.key),
            told(one.attribute),
            value(one.expected),
            value(one.found),
            _witnesses(one),
            told(one.hard, prose=True),
        )
        for one in scores.wrong_values
    ]
    columns = ("Kind", "Where", "Attribute", "True", "Told", "By whom", "Hard because")
    return table("Wrong values", columns, rows, "No value was wrong.", counted=True)


def _witnesses(wrong: WrongValue) -> Text:
    pieces: list[Piece] = []
    for one in wrong.evidence:
        pieces += ["; "] if pieces else []
        pieces += [Told(one.collector), f" ({one.confidence:.0%}): ", Told(plain(one.value), 80)]
    return text(*pieces)


def _said(evidence: Iterable[Testimony]) -> Text:
    pieces: list[Piece] = []
    for one in evidence:
        pieces += ["; "] if pieces else []
        pieces += [Told(one.collector), f" ({one.confidence:.0%})"]
    return text(*pieces)


def _not_evaluable(scores: Scores) -> Table:
    rows = [
        (
            told(fact.kind, prose=True),
            told(fact.key),
            text("credential refused by ", Told(fact.service)),
            told(fact.hard, prose=True),
        )
        for fact in scores.not_evaluable
    ]
    columns = ("Kind", "Where", "Why", "Hard because")
    return table("Not evaluable", columns, rows, "Everything could be evaluated.", counted=True)


def _hard(scores: Scores) -> Table:
    rows = [_judged(case) for case in scores.hard_cases]
    columns = ("Kind", "Where", "Hard because", "What became of it")
    note = "Facts that a good collector may miss. Scores are given with and without them."
    return table(
        "Hard cases",
        columns,
        rows,
        "This template has no hard case.",
        note=note if rows else "",
        counted=True,
    )


def _judged(case: HardCase) -> tuple[Text, ...]:
    word, tone = _JUDGEMENTS[case.judgement]
    return (told(case.kind, prose=True), told(case.key), told(case.reason, prose=True), text(word, tone=tone))
