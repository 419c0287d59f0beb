"""What scoring returns. Figures that are 0/0 are null, never 1.0 by convention."""

from typing import Literal, Self

from pydantic import JsonValue

from dryrun_contract.base import Word


class ScoreRow(Word):
    """One kind (keys found), or one attribute of a kind (values told)."""

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


class Averages(Word):
    """Macro averages: each row weighs the same; rows where a figure is undefined are left out of it."""

    precision: float | None
    recall: float | None
    f1: float | None
    coverage: float | None
    """Facts that could be found, of all facts."""


class Testimony(Word):
    """What one collector said of one thing, how sure."""

    collector: str
    confidence: float
    data: dict[str, JsonValue]


class FoundFact(Word):
    """A fact that was found. `data` is what the collectors together said, `evidence` what each said."""

    kind: str
    key: str
    data: dict[str, JsonValue]
    collectors: tuple[str, ...]
    evidence: tuple[Testimony, ...] = ()
    hard: str | None


class MissedFact(Word):
    """A fact that was not found, or (with `attribute`) one that was told without this attribute."""

    kind: str
    key: str
    attribute: str | None = None
    expected: JsonValue = None
    nearest: str | None = None
    """The key of the innermost thing around it that was found; None when not even its host was."""
    collectors: tuple[str, ...] = ()
    """With `attribute`: who found the thing and did not tell this of it."""
    hard: str | None = None


class Unfounded(Word):
    """Something that was found and is not true; `key` is by address when no service has that address."""

    kind: str
    key: str
    data: dict[str, JsonValue]
    collectors: tuple[str, ...]
    evidence: tuple[Testimony, ...] = ()


class Evidence(Word):
    """Who said what, how sure."""

    collector: str
    value: JsonValue
    confidence: float


class WrongValue(Word):
    """An attribute that was told wrongly: a false positive and a false negative of its row."""

    kind: str
    key: str
    attribute: str
    expected: JsonValue
    found: JsonValue
    evidence: tuple[Evidence, ...]
    hard: str | None


class NotEvaluableFact(Word):
    """A fact inside something that refused the credential."""

    kind: str
    key: str
    service: str
    """The key of the service, or of the database in it, that refused."""
    hard: str | None


type Judgement = Literal["found", "missed", "wrong", "incomplete", "not_evaluable"]


class HardCase(Word):
    """A fact that a good collector may miss, and what became of it."""

    kind: str
    key: str
    reason: str
    judgement: Judgement
    """`wrong`: found, with a wrong value; `incomplete`: found, with a value missing."""


class CollectorScores(Word):
    """What one collector alone would have scored."""

    collector: str
    rows: tuple[ScoreRow, ...]
    """Of the kinds that it told anything of."""
    overall: Averages
    """Over those rows."""


class Scores(Word):
    """All of it; `…_without_hard` leaves out the facts that a good collector may miss."""

    rows: tuple[ScoreRow, ...]
    overall: Averages
    rows_without_hard: tuple[ScoreRow, ...]
    overall_without_hard: Averages
    found: tuple[FoundFact, ...]
    false_negatives: tuple[MissedFact, ...]
    false_positives: tuple[Unfounded, ...]
    wrong_values: tuple[WrongValue, ...]
    not_evaluable: tuple[NotEvaluableFact, ...]
    hard_cases: tuple[HardCase, ...] = ()
