"""The report as the approval API tells it, as far as a terminal shows it."""

from typing import Literal

from pydantic import Field, JsonValue

from dryrun_cli.reading import SessionView, read_word
from dryrun_contract.base import Word
from dryrun_contract.event import TargetLogs


class ScoreRow(Word):
    """How well one kind, or one attribute of it, was discovered. A share is None where nothing counts."""

    name: str
    attribute: str | None = None
    """None for the row of a kind."""
    true_positives: int
    false_positives: int
    false_negatives: int
    not_evaluable: int = 0
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


class Overall(Word):
    """The macro average over the rows."""

    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


class Missed(Word):
    """A true thing, or a true value of one, that no collector told."""

    kind: str
    key: str
    attribute: str | None = None
    expected: JsonValue = None
    hard: str | None = None


class Invented(Word):
    """Something told that is not there."""

    kind: str
    key: str
    collectors: tuple[str, ...] = ()


class WrongValue(Word):
    """A thing found, with one attribute told wrongly."""

    kind: str
    key: str
    attribute: str
    expected: JsonValue = None
    found: JsonValue = None
    hard: str | None = None


class NotEvaluable(Word):
    """A true thing that nobody could look at, and the service that kept it shut."""

    kind: str
    key: str
    service: str | None = None
    hard: str | None = None


class Scores(Word):
    """All of the comparison with the ground truth."""

    rows: tuple[ScoreRow, ...] = ()
    overall: Overall = Overall()
    false_negatives: tuple[Missed, ...] = ()
    false_positives: tuple[Invented, ...] = ()
    wrong_values: tuple[WrongValue, ...] = ()
    not_evaluable: tuple[NotEvaluable, ...] = ()


class CriterionResult(Word):
    """One criterion, held against the report."""

    criterion: str
    status: str
    limit: JsonValue = None
    measured: JsonValue = None
    detail: str = ""


class Verdict(Word):
    """Whether the criteria are met."""

    passed: bool
    results: tuple[CriterionResult, ...] = ()


class Harm(Word):
    """What happened to a target while collectors ran."""

    service: str
    harm: str
    during: tuple[str, ...] = ()
    detail: str = ""


class PhaseTime(Word):
    """How long a phase took; `seconds` is None while it lasts."""

    phase: str
    seconds: float | None = None


class TargetTraffic(Word):
    """What one target received and sent."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int = 0
    tx_bytes: int = 0
    at_least: bool = False


class Traffic(Word):
    """What the scan cost the network."""

    targets: dict[str, TargetTraffic] = Field(default_factory=dict)
    peak_packets_per_second: float | None = None


class CollectorRun(Word):
    """One collector's run."""

    collector: str
    purpose: str = "discovery"
    complete: bool | None = None
    truncated: bool = False
    discoveries: int = 0
    warnings: int = 0
    warning_examples: tuple[JsonValue, ...] = ()
    reason: str | None = None
    seconds: float | None = None


class TemplateName(Word):
    """Which network it was."""

    id: str
    title: str | None = None
    seed: int | None = None


class Isolation(Word):
    """What the probe inside the network found."""

    isolated: bool
    detail: str = ""


class Report(Word):
    """One session's report."""

    version: Literal[1]
    """Another number means that fields changed their meaning: refused rather than misread."""
    final: bool = True
    session: SessionView
    verdict: Verdict | None = None
    scores: Scores | None = None
    scores_missing: str | None = None
    """Why there are no scores."""
    harmed: tuple[Harm, ...] = ()
    phases: tuple[PhaseTime, ...] = ()
    traffic: Traffic | None = None
    logs: dict[str, TargetLogs] | None = None
    """What the scan left in the targets' logs; None when the API tells nothing of them."""
    collectors: tuple[CollectorRun, ...] = ()
    template: TemplateName | None = None
    isolation: Isolation | None = None
    history_complete: bool = True


def read_report(answer: JsonValue) -> Report:
    """Read a report. Raises ApiUnreachableError when it is none, or one of another version."""
    return read_word(Report, answer, "a report")
