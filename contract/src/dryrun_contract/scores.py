"""Scores of discoveries against ground truth. Figures that are 0/0 are null, never 1.0 by convention."""

from typing import Literal, Self

from pydantic import Field, JsonValue

from dryrun_contract.base import Word


class ScoreRow(Word):
    """The score of one kind (keys found), or of one attribute of a kind (values reported)."""

    name: str
    """The attribute's name, or the kind's."""
    kind: str
    attribute: str | None
    true_positives: int
    false_positives: int
    false_negatives: int
    not_evaluable: int
    precision: float | None
    recall: float | None
    f1: float | None

    @classmethod
    def of(
        cls,
        kind: str,
        attribute: str | None,
        *,
        true_positives: int,
        false_positives: int,
        false_negatives: int,
        not_evaluable: int,
    ) -> Self:
        """Derive the three figures from the counts."""

        def ratio(part: int, whole: int) -> float | None:
            return part / whole if whole else None

        return cls(
            name=attribute or kind,
            kind=kind,
            attribute=attribute,
            true_positives=true_positives,
            false_positives=false_positives,
            false_negatives=false_negatives,
            not_evaluable=not_evaluable,
            precision=ratio(true_positives, true_positives + false_positives),
            recall=ratio(true_positives, true_positives + false_negatives),
            f1=ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives),
        )

    @property
    def has_facts(self) -> bool:
        """Whether the ground truth has facts of this row; without, only false positives can be in it."""
        return self.true_positives + self.false_negatives + self.not_evaluable > 0


class Averages(Word):
    """Macro averages: each row weighs the same; rows where a figure is undefined are left out of it."""

    precision: float | None
    recall: float | None
    f1: float | None
    coverage: float | None
    """Facts that could be found, of all facts."""


class DiscoveryEvidence(Word):
    """One collector's report of one thing."""

    collector: str
    confidence: float
    data: dict[str, JsonValue]


class FoundFact(Word):
    """A fact that was found. `data` merges what the collectors reported, `evidence` has each one's report."""

    kind: str
    key: str
    data: dict[str, JsonValue]
    collectors: tuple[str, ...]
    evidence: tuple[DiscoveryEvidence, ...] = ()
    hard: str | None


class MissedFact(Word):
    """A false negative: a fact that was not found or, with `attribute`, one found without this attribute."""

    kind: str
    key: str
    attribute: str | None = None
    expected: JsonValue = None
    nearest: str | None = None
    """The key of the innermost thing around it that was found; None when not even its host was."""
    collectors: tuple[str, ...] = ()
    """With `attribute`: the collectors that found the thing and did not report this attribute."""
    hard: str | None = None


class FalsePositive(Word):
    """A discovery that is not true; `key` has the address where no service has that address."""

    kind: str
    key: str
    data: dict[str, JsonValue]
    collectors: tuple[str, ...]
    evidence: tuple[DiscoveryEvidence, ...] = ()


class ValueEvidence(Word):
    """One collector's report of one attribute."""

    collector: str
    value: JsonValue
    confidence: float


class WrongValue(Word):
    """An attribute reported with a wrong value: a false positive and a false negative of its row."""

    kind: str
    key: str
    attribute: str
    expected: JsonValue
    found: JsonValue
    evidence: tuple[ValueEvidence, ...]
    hard: str | None


class NotEvaluableFact(Word):
    """A fact inside a service or database that refused the credential."""

    kind: str
    key: str
    service: str
    """The key of the service, or of the database in it, that refused."""
    hard: str | None


type Judgement = Literal["found", "missed", "wrong", "incomplete", "not_evaluable"]


class HardCase(Word):
    """A fact that a good collector may miss, and the judgement on it."""

    kind: str
    key: str
    reason: str
    judgement: Judgement
    """`wrong`: found, with a wrong value; `incomplete`: found, with a value missing."""


MAX_OWN_LISTED = 500
"""Most entries of one list of one collector; its rows count all of them."""


class CollectorScores(Word):
    """The scores of one collector alone, and what it missed or reported falsely or wrongly."""

    collector: str
    rows: tuple[ScoreRow, ...]
    """One for each kind and attribute that its manifest claims; without claims, for each kind of which it
    reported anything."""
    overall: Averages
    """Over those rows."""
    rows_not_claimed: tuple[ScoreRow, ...] = ()
    """The other rows of what it reported: shown, and not held against it."""
    false_negatives: tuple[MissedFact, ...] = ()
    false_positives: tuple[FalsePositive, ...] = ()
    wrong_values: tuple[WrongValue, ...] = ()
    """Wrong values of `rows` only, up to `MAX_OWN_LISTED` each."""


class Scores(Word):
    """The whole comparison; `…_without_hard` leaves out the facts that a good collector may miss."""

    rows: tuple[ScoreRow, ...]
    overall: Averages
    rows_without_hard: tuple[ScoreRow, ...]
    overall_without_hard: Averages
    found: tuple[FoundFact, ...]
    false_negatives: tuple[MissedFact, ...]
    false_positives: tuple[FalsePositive, ...]
    wrong_values: tuple[WrongValue, ...]
    not_evaluable: tuple[NotEvaluableFact, ...]
    hard_cases: tuple[HardCase, ...] = ()
    not_looked_for: dict[str, int] = Field(default_factory=dict)
    """Missed facts of kinds that none of the scored collectors discovers, by kind."""
