"""What an experiment keeps of one session: counts of the scores, and each fact's fate. Pure."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, JsonValue

from dryrun_contract.base import Word
from dryrun_contract.event import SideEffect
from dryrun_contract.kinds import KINDS
from dryrun_contract.observation import Observation
from dryrun_contract.report import Report
from dryrun_contract.scores import FalsePositive, ScoreRow
from dryrun_contract.side_effects import side_effect_totals

MAX_FACTS = 500
"""Facts and values kept of one run, the missed ones first; more are counted."""
MAX_VALUE_CHARACTERS = 120
MAX_FALSE_POSITIVES = 100
MAX_KEY_CHARACTERS = 160
"""Longest kept key of something that is not there; the keys of facts are the template's."""

type Name = tuple[str, str, str | None]
"""Kind, key and attribute of a fact."""

type Fate = Literal["found", "missed", "not_evaluable"]


class FactResult(Word):
    """What became of one fact, or of one attribute of it, in one run."""

    kind: str
    key: str
    attribute: str | None = None
    fate: Fate
    value: str | None = None
    """As reported, right or wrong; None when nothing was."""
    expected: JsonValue = None


class FalseReport(Word):
    """Something that was reported and is not true."""

    kind: str
    key: str


class RowCounts(Word):
    """Counts of one row of the scores."""

    kind: str
    attribute: str | None
    true_positives: int
    false_positives: int
    false_negatives: int

    @classmethod
    def of(cls, row: ScoreRow) -> Self:
        """Return the counts of a row."""
        return cls(
            kind=row.kind,
            attribute=row.attribute,
            true_positives=row.true_positives,
            false_positives=row.false_positives,
            false_negatives=row.false_negatives,
        )


class Measured(Word):
    """What is kept of one run."""

    complete: bool
    rows: tuple[RowCounts, ...]
    facts: tuple[FactResult, ...]
    facts_left_out: int = Field(default=0, ge=0)
    false_positives: tuple[FalseReport, ...] = ()
    false_positives_left_out: int = Field(default=0, ge=0)
    seconds: float | None
    packets: int | None
    failed_logins: int | None
    harmed: int
    side_effects: dict[SideEffect, int | None] = Field(default_factory=dict)
    """Those that a target can suffer; None where nothing was seen and part of a log was not searched."""
    logs_read: bool = True
    """False: what the targets suffered is not known at all, and `side_effects` is empty."""
    observation: Observation | None = None
    """What a forecast needs, where the template stands for a real network."""
    images: dict[str, str] = Field(default_factory=dict)
    """Collector → the ID of the image that it ran from."""
    configurations: dict[str, str] = Field(default_factory=dict)
    """Collector → the digest of its configuration."""
    passed: bool | None = None
    """The verdict by the session's own criteria."""


def measure(report: Report) -> Measured | None:
    """Return what an experiment keeps of a report; None for one without scores."""
    scores = report.scores
    if scores is None:
        return None
    # The cut must not hide what a scan lost.
    facts = sorted(
        (fact for fact in _facts(report) if _is_claimed(fact, report)),
        key=lambda fact: fact.fate != "missed",
    )
    counts = report.log_counts("failed_logins")
    # None of those that were seen is none only where every log was searched to its end.
    is_known = any(counts) or (counts and not report.searched_in_part("failed_logins"))
    false, false_left_out = false_reports(scores.false_positives)
    return Measured(
        complete=all(run.complete for run in report.collectors if run.purpose == "discovery"),
        rows=tuple(RowCounts.of(row) for row in scores.rows if _is_claimed(row, report)),
        facts=tuple(facts[:MAX_FACTS]),
        facts_left_out=max(0, len(facts) - MAX_FACTS),
        false_positives=false,
        false_positives_left_out=false_left_out,
        seconds=report.scan_seconds(),
        packets=report.packets(),
        failed_logins=sum(counts) if is_known else None,
        harmed=len(report.harmed_targets()),
        side_effects={
            total.name: total.count if total.count or total.none else None
            for total in side_effect_totals(report.logs)
        },
        logs_read=report.logs is not None,
        observation=report.observation,
        images={run.collector: run.image_id for run in report.collectors},
        configurations={
            run.collector: run.config_digest for run in report.collectors if run.config_digest is not None
        },
        passed=None if report.verdict is None else report.verdict.passed,
    )


def _is_claimed(what: ScoreRow | FactResult, report: Report) -> bool:
    """Return whether any of the collectors says that it reports this; one that says nothing claims all."""
    claims = [run.claims for run in report.collectors if run.purpose == "discovery"]
    return not claims or any(
        each is None or (what.kind in each and (what.attribute is None or what.attribute in each[what.kind]))
        for each in claims
    )


def _facts(report: Report) -> list[FactResult]:
    scores = report.scores
    assert scores is not None
    wrong = {(each.kind, each.key, each.attribute): each for each in scores.wrong_values}
    results = []
    for found in scores.found:
        results.append(FactResult(kind=found.kind, key=found.key, fate="found"))
        kind = KINDS.get(found.kind)
        for attribute in kind.scored if kind else ():
            value = found.data.get(attribute)
            mistake = wrong.get((found.kind, found.key, attribute))
            if mistake is not None:
                results.append(
                    FactResult(
                        kind=found.kind,
                        key=found.key,
                        attribute=attribute,
                        fate="missed",
                        value=shown_value(mistake.found),
                        expected=short_value(mistake.expected),
                    )
                )
            elif value is not None:
                # A value for which the ground truth has none counts for nobody, and may still differ.
                results.append(
                    FactResult(
                        kind=found.kind,
                        key=found.key,
                        attribute=attribute,
                        fate="found",
                        value=shown_value(value),
                    )
                )
    results.extend(
        FactResult(
            kind=missed.kind,
            key=missed.key,
            attribute=missed.attribute,
            fate="missed",
            expected=short_value(missed.expected),
        )
        for missed in scores.false_negatives
    )
    results.extend(
        FactResult(kind=each.kind, key=each.key, fate="not_evaluable") for each in scores.not_evaluable
    )
    return results


def false_reports(found: Sequence[FalsePositive]) -> tuple[tuple[FalseReport, ...], int]:
    """Return false positives as an experiment keeps them, cut, and how many were left out."""
    kept = tuple(
        FalseReport(kind=each.kind[:MAX_KEY_CHARACTERS], key=each.key[:MAX_KEY_CHARACTERS])
        for each in found[:MAX_FALSE_POSITIVES]
    )
    return kept, len(found) - len(kept)


def shown_value(value: JsonValue) -> str:
    """Return a reported value as text, cut to what an experiment keeps."""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value[:20])[:MAX_VALUE_CHARACTERS]
    return str(value)[:MAX_VALUE_CHARACTERS]


def short_value(value: JsonValue) -> JsonValue:
    """Return a true value, its texts cut to what an experiment keeps."""
    if isinstance(value, list):
        return [shown_value(each) for each in value[:20]]
    return None if value is None else shown_value(value)
