"""Counts in how many of its runs each arm found each fact. Pure.

Unlike in an experiment's results a fact counts in every run on a network in which it is true: a scanner that
is refused what it could see before has lost it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from approval_api.experiments.contrast import FactName, Tally
from approval_api.experiments.measure import short_value, shown_value
from dryrun_contract.baseline import BaselineArm, FactCount, ScannerImage
from dryrun_contract.ground_truth import Fact, GroundTruth
from dryrun_contract.kinds import KINDS
from dryrun_contract.report import CriterionStatus, Report

type Network = tuple[str, int]
"""Template and seed."""

COMPLETE = ("scan", "complete")
"""Kind and key of a fact that every network has: each of its collectors ran to its end."""
_MOST_VALUES = 5


@dataclass(slots=True)
class ArmCount:
    """What one arm found so far."""

    runs: int = 0
    facts: dict[FactName, Tally] = field(default_factory=dict)
    collectors: dict[str, ScannerImage] = field(default_factory=dict)
    criteria: dict[str, list[tuple[CriterionStatus, str]]] = field(default_factory=dict)
    """Criterion → status and detail in each run."""
    seconds: list[float] = field(default_factory=list)
    """Durations of scanning."""

    def add(self, template: str, truth: GroundTruth, report: Report) -> None:
        """Count one more run. Raises ValueError for a report without scores."""
        if report.scores is None:
            raise ValueError(report.scores_missing or "its report has no scores")
        self.runs += 1
        found = _found(report)
        for fact, attribute, reported in _reported(truth, found, report):
            self._count(template, fact, attribute, reported)
        complete = all(run.complete for run in report.collectors if run.purpose == "discovery")
        self._count(template, Fact(kind=COMPLETE[0], key=COMPLETE[1]), None, (complete, None))
        for run in report.collectors:
            self.collectors[run.collector] = ScannerImage(image=run.image, image_id=run.image_id)
        for result in report.verdict.results if report.verdict else ():
            self.criteria.setdefault(result.criterion, []).append((result.status, result.detail))
        self.seconds.extend(
            phase.seconds
            for phase in report.phases
            if phase.phase == "scanning" and phase.seconds is not None
        )

    def _count(
        self, template: str, fact: Fact, attribute: str | None, reported: tuple[bool, str | None]
    ) -> None:
        right, value = reported
        tally = self.facts.setdefault((template, fact.kind, fact.key, attribute or ""), Tally())
        tally.of += 1
        tally.found += right
        if value is not None:
            tally.values[value] += 1
        if attribute is not None:
            tally.expected = short_value(fact.data[attribute])

    def baseline(self) -> BaselineArm:
        """Return it as a baseline keeps it."""
        return BaselineArm(
            collectors=dict(sorted(self.collectors.items())),
            runs=self.runs,
            facts=tuple(
                FactCount(
                    template=template,
                    kind=kind,
                    key=key,
                    attribute=attribute or None,
                    found=tally.found,
                    of=tally.of,
                    values=dict(
                        sorted(tally.values.items(), key=lambda item: (-item[1], item[0]))[:_MOST_VALUES]
                    ),
                    expected=tally.expected,
                )
                for (template, kind, key, attribute), tally in sorted(self.facts.items())
            ),
        )


def tallies_of(arm: BaselineArm) -> dict[FactName, Tally]:
    """Return the facts of a baseline's arm."""
    tallies = {}
    for fact in arm.facts:
        tally = Tally(found=fact.found, of=fact.of, expected=fact.expected)
        tally.values.update(fact.values)
        tallies[fact.template, fact.kind, fact.key, fact.attribute or ""] = tally
    return tallies


def runs_of_facts(truths: Mapping[Network, GroundTruth], repetitions: int) -> dict[FactName, int]:
    """Return in how many runs of an arm each fact will be true."""
    counted: dict[FactName, int] = {}
    for (template, _), truth in truths.items():
        for fact in truth.facts:
            for attribute in (None, *_scored(fact)):
                name = (template, fact.kind, fact.key, attribute or "")
                counted[name] = counted.get(name, 0) + repetitions
    return counted


type _Found = dict[tuple[str, str], dict[str, str]]


def _found(report: Report) -> _Found:
    """Return what was found: kind and key → attribute → reported value as text."""
    assert report.scores is not None
    return {
        (each.kind, each.key): {
            name: _text(value) for name, value in each.data.items() if value not in (None, "")
        }
        for each in report.scores.found
    }


def _reported(
    truth: GroundTruth, found: _Found, report: Report
) -> Iterable[tuple[Fact, str | None, tuple[bool, str | None]]]:
    """Yield each fact and each of its scored attributes: whether it was right, and what was reported."""
    scores = report.scores
    assert scores is not None
    wrong = {(each.kind, each.key, each.attribute): _text(each.found) for each in scores.wrong_values}
    missing = {(each.kind, each.key, each.attribute) for each in scores.false_negatives}
    for fact in truth.facts:
        values = found.get((fact.kind, fact.key))
        yield fact, None, (values is not None, None)
        for attribute in _scored(fact):
            name = (fact.kind, fact.key, attribute)
            if values is None or name in missing:
                yield fact, attribute, (False, None)
            elif name in wrong:
                yield fact, attribute, (False, wrong[name])
            else:
                yield fact, attribute, (True, values.get(attribute))


def _text(value: JsonValue) -> str:
    """Return a reported value as text that any file can hold."""
    return shown_value(value).encode("utf-8", "replace").decode()


def _scored(fact: Fact) -> Iterable[str]:
    kind = KINDS.get(fact.kind)
    return [name for name in fact.data if kind is None or name in kind.scored]
