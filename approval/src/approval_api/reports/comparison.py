"""Compares two reports: figures side by side, and the resources that only one of them has."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from dryrun_contract.kinds import KINDS
from dryrun_contract.report import Report
from dryrun_contract.scores import CollectorScores, ScoreRow
from dryrun_contract.session import SessionView
from dryrun_contract.text import printable

MAX_THINGS = 200
"""Listed for one difference; further ones are counted."""

_LEAST_SHOWN = {"ratio": 0.005, "number": 0.5, "duration": 0.05}
"""Pages show a smaller difference as 0: it is none."""

NOISE = 0.05
"""Two runs of one collector differ by as much in time and pace: less is neither better nor worse."""

type Better = Literal["more", "less", "neither"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of both; None where a report has none."""

    name: str
    before: float | None
    after: float | None
    better: Better
    style: Literal["ratio", "number", "duration"]
    noisy: bool = False
    """Measured by a clock: up to `NOISE` of a difference says nothing."""

    @property
    def difference(self) -> float | None:
        """The increase, 0 where it is too small to show; None where a report has no figure."""
        if self.before is None or self.after is None:
            return None
        difference = self.after - self.before
        return 0.0 if abs(difference) < _LEAST_SHOWN[self.style] else difference

    @property
    def verdict(self) -> Literal["good", "bad", "same"]:
        """Whether the difference is an improvement."""
        difference = self.difference
        if not difference or self.better == "neither":
            return "same"
        if self.noisy and abs(difference) <= NOISE * max(self.before or 0, self.after or 0):
            return "same"
        return "good" if (difference > 0) == (self.better == "more") else "bad"


@dataclass(frozen=True, slots=True)
class Thing:
    """A fact or a discovery, by kind and key."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Resources that only one of the two has."""

    title: str
    good: bool
    things: tuple[Thing, ...]
    """The first ones, by kind and key."""
    count: int


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """Two reports side by side."""

    before: SessionView
    after: SessionView
    same_template: bool
    """Both ran against the same version and variant: every difference is due to the collectors."""
    figures: tuple[Figure, ...]
    kinds: tuple[Figure, ...]
    """Recall by kind, for the kinds of the contract and of the ground truth."""
    other_kinds: int
    """The number of kinds without facts; a hostile collector can report a new one with each discovery."""
    differences: tuple[Difference, ...]
    """Of all collectors together, then of each one alone that both sessions have."""

    @property
    def alike(self) -> bool:
        """Whether both found the same, also each collector alone."""
        return not self.differences


COMPARISON = TypeAdapter(ReportComparison)


def compare(before: Report, after: Report) -> ReportComparison:
    """Return the comparison of two reports."""
    kinds, other_kinds = _by_kind(before, after)
    return ReportComparison(
        before=before.session,
        after=after.session,
        same_template=(before.template.digest, before.template.seed)
        == (after.template.digest, after.template.seed),
        figures=tuple(_figures(before, after)),
        kinds=kinds,
        other_kinds=other_kinds,
        differences=tuple(each for each in _differences(before, after) if each.count),
    )


def _figures(before: Report, after: Report) -> Iterable[Figure]:
    for name in ("recall", "precision", "f1"):
        first, second = (
            getattr(report.scores.overall, name) if report.scores else None for report in (before, after)
        )
        yield Figure(name.upper() if name == "f1" else name.capitalize(), first, second, "more", "ratio")
    yield Figure(
        "Missed", _count(before, "false_negatives"), _count(after, "false_negatives"), "less", "number"
    )
    yield Figure(
        "False positives",
        _count(before, "false_positives"),
        _count(after, "false_positives"),
        "less",
        "number",
    )
    yield Figure("Targets harmed", _harmed(before), _harmed(after), "less", "number")
    yield Figure("Scan took", _scanning(before), _scanning(after), "less", "duration", noisy=True)
    peaks = [report.traffic.peak_packets_per_second if report.traffic else None for report in (before, after)]
    yield Figure("Peak packets/s on one target", peaks[0], peaks[1], "less", "number", noisy=True)
    yield from _alone(before, after)


def _alone(before: Report, after: Report) -> Iterable[Figure]:
    """Yield the recall of each collector for comparison: the others are in the figures together."""
    beside = before.for_comparison() | after.for_comparison()
    first, second = (
        {one.collector: one.overall.recall for one in report.collector_scores} for report in (before, after)
    )
    for name in sorted(beside):
        yield Figure(
            f"Recall of {printable(name, limit=40)}", first.get(name), second.get(name), "more", "ratio"
        )


def _count(report: Report, name: str) -> float | None:
    if report.scores is None:
        return None
    return float(sum(getattr(row, name) for row in report.scores.rows if row.attribute is None))


def _harmed(report: Report) -> float:
    return float(len({harm.service for harm in report.harmed}))


def _scanning(report: Report) -> float | None:
    return next((phase.seconds for phase in report.phases if phase.phase == "scanning"), None)


def _by_kind(before: Report, after: Report) -> tuple[tuple[Figure, ...], int]:
    """Return recall by kind, and the number of kinds left out: those with false positives only."""
    first, second = _kinds(before), _kinds(after)
    kinds = dict.fromkeys((*first, *second))
    figures = []
    for kind in kinds:
        rows = first.get(kind), second.get(kind)
        if kind in KINDS or any(row is not None and row.has_facts for row in rows):
            recalls = [None if row is None else row.recall for row in rows]
            figures.append(Figure(kind, recalls[0], recalls[1], "more", "ratio"))
    return tuple(figures), len(kinds) - len(figures)


def _kinds(report: Report) -> dict[str, ScoreRow]:
    if report.scores is None:
        return {}
    return {row.kind: row for row in report.scores.rows if row.attribute is None}


def _differences(before: Report, after: Report) -> Iterable[Difference]:
    found, found_later = _found(before), _found(after)
    yield _only("Found only now", found_later, found, good=True)
    yield _only("No longer found", found, found_later, good=False)
    false, false_later = _false(before), _false(after)
    yield _only("False positives only now", false_later, false, good=False)
    yield _only("No longer false positives", false, false_later, good=True)
    beside = before.for_comparison() | after.for_comparison()
    first, second = (
        {one.collector: one for one in report.collector_scores if one.collector in beside}
        for report in (before, after)
    )
    for name in sorted(first.keys() | second.keys()):
        shown = printable(name, limit=40)
        yield from _differences_alone(shown, first.get(name), second.get(name))


def _differences_alone(
    name: str, before: CollectorScores | None, after: CollectorScores | None
) -> Iterable[Difference]:
    if before is None or after is None:
        only = before or after
        assert only is not None
        found = sum(row.true_positives for row in only.rows if row.attribute is None)
        title = (
            f"{name} reported nothing {'before' if before is None else 'now'}, and found this many otherwise"
        )
        yield Difference(title, before is None, (), found)
        return
    missed, missed_later = (_missed(one) for one in (before, after))
    yield _only(f"{name} misses only now", missed_later, missed, good=False)
    yield _only(f"{name} no longer misses", missed, missed_later, good=True)
    false, false_later = (
        {Thing(each.kind, each.key) for each in one.false_positives} for one in (before, after)
    )
    yield _only(f"False positives of {name} only now", false_later, false, good=False)
    yield _only(f"No longer false positives of {name}", false, false_later, good=True)


def _missed(scores: CollectorScores) -> set[Thing]:
    return {
        Thing(each.kind, f"{each.key} {each.attribute}" if each.attribute else each.key)
        for each in scores.false_negatives
    }


def _found(report: Report) -> set[Thing]:
    return {Thing(each.kind, each.key) for each in report.scores.found} if report.scores else set()


def _false(report: Report) -> set[Thing]:
    return {Thing(each.kind, each.key) for each in report.scores.false_positives} if report.scores else set()


def _only(title: str, ones: set[Thing], others: set[Thing], *, good: bool) -> Difference:
    things = sorted(ones - others, key=lambda thing: (thing.kind, thing.key))
    return Difference(title, good, tuple(things[:MAX_THINGS]), len(things))
