"""Scores what collectors found against what is true; a pure function, defined in `docs/scoring.md`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from approval_api.merging import Finding, Merged, merge
from approval_api.places import around, canonical, outside
from approval_api.score_values import is_told, same_value
from approval_api.scores import (
    Averages,
    CollectorScores,
    Evidence,
    FoundFact,
    HardCase,
    Judgement,
    MissedFact,
    NotEvaluableFact,
    ScoreRow,
    Scores,
    Unfounded,
    WrongValue,
)
from dryrun_contract.discovery import KINDS
from dryrun_contract.ground_truth import Fact

_MAY_REFUSE = frozenset({"service", "database"})

type FactId = tuple[str, str]
"""A fact's kind and key; the key by service name, in canonical form."""


def score(truth: Iterable[Fact], findings: Iterable[Finding], addresses: Mapping[str, str]) -> Scores:
    """Return the scores of `findings` against `truth`; `addresses` maps addresses to service names.

    The order of `truth` and `findings` does not matter, and neither does telling a thing twice.
    """
    facts = {(fact.kind, canonical(fact.key)): fact for fact in truth}
    merged = merge(findings, addresses)
    true = {identity: merged[identity, True] for identity in facts if (identity, True) in merged}
    unfounded = [found for (identity, named), found in merged.items() if not named or identity not in facts]
    hidden = _not_evaluable(facts, merged.values())
    comparison = _Comparison(facts, true, unfounded, hidden)
    easy = comparison.without(lambda fact: fact.hard is not None)
    rows, easy_rows = comparison.rows(), easy.rows()
    missed, wrong = comparison.false_negatives(), comparison.wrong_values()
    return Scores(
        rows=rows,
        overall=_average(rows, evaluable=len(facts) - len(hidden), facts=len(facts)),
        rows_without_hard=easy_rows,
        overall_without_hard=_average(
            easy_rows, evaluable=len(easy.facts) - len(easy.hidden), facts=len(easy.facts)
        ),
        found=tuple(
            FoundFact(
                kind=kind,
                key=key,
                data=true[kind, key].data,
                collectors=true[kind, key].collectors,
                evidence=true[kind, key].evidence,
                hard=facts[kind, key].hard,
            )
            for kind, key in sorted(true)
        ),
        false_negatives=missed,
        false_positives=tuple(
            Unfounded(
                kind=found.kind,
                key=found.key,
                data=found.data,
                collectors=found.collectors,
                evidence=found.evidence,
            )
            for found in sorted(unfounded, key=lambda found: (found.kind, found.key, found.named))
        ),
        wrong_values=wrong,
        not_evaluable=tuple(
            NotEvaluableFact(kind=kind, key=key, service=hidden[kind, key], hard=facts[kind, key].hard)
            for kind, key in sorted(hidden)
        ),
        hard_cases=_hard_cases(facts, hidden, missed, wrong),
    )


def score_alone(
    collector: str, truth: Sequence[Fact], findings: Iterable[Finding], addresses: Mapping[str, str]
) -> CollectorScores:
    """Return what `collector` alone would have scored, for the kinds that it told anything of."""
    own = [finding for finding in findings if finding.collector == collector]
    kinds = {finding.discovery.kind for finding in own}
    scores = score([fact for fact in truth if fact.kind in kinds], own, addresses)
    return CollectorScores(collector=collector, rows=scores.rows, overall=scores.overall)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What is true beside what was found."""

    facts: Mapping[FactId, Fact]
    true: Mapping[FactId, Merged]
    """Findings that are facts."""
    unfounded: Sequence[Merged]
    """Findings that are not."""
    hidden: Mapping[FactId, str]
    """Facts that could not be found, with the key of what refused the credential."""

    def without(self, leave_out: Callable[[Fact], bool]) -> "_Comparison":
        """Return the same without some facts; finding them counts neither for nor against."""
        kept = {identity: fact for identity, fact in self.facts.items() if not leave_out(fact)}
        return _Comparison(
            kept,
            {identity: found for identity, found in self.true.items() if identity in kept},
            self.unfounded,
            {identity: service for identity, service in self.hidden.items() if identity in kept},
        )

    def rows(self) -> tuple[ScoreRow, ...]:
        """Return a row per kind, in the contract's order, each followed by its attributes' rows."""
        seen = {kind for kind, _ in self.facts} | {found.kind for found in self.unfounded}
        kinds = [kind for kind in KINDS if kind in seen] + sorted(seen - KINDS.keys())
        rows = []
        for kind in kinds:
            rows.append(self._kind_row(kind))
            rows += [self._attribute_row(kind, attribute) for attribute in self.attributes(kind)]
        return tuple(rows)

    def attributes(self, kind: str) -> list[str]:
        """Return the attributes that facts of this kind carry and the contract scores."""
        carried = {
            name
            for (fact_kind, _), fact in self.facts.items()
            if fact_kind == kind
            for name, value in fact.data.items()
            if is_told(value)
        }
        scored = KINDS.get(kind)
        return sorted(carried) if scored is None else [name for name in scored if name in carried]

    def _kind_row(self, kind: str) -> ScoreRow:
        facts = [identity for identity in self.facts if identity[0] == kind]
        found = [identity for identity in facts if identity in self.true]
        hidden = [identity for identity in facts if identity in self.hidden]
        return ScoreRow.of(
            kind,
            None,
            true_positives=len(found),
            false_positives=sum(1 for unfounded in self.unfounded if unfounded.kind == kind),
            false_negatives=len(facts) - len(found) - len(hidden),
            not_evaluable=len(hidden),
        )

    def _attribute_row(self, kind: str, attribute: str) -> ScoreRow:
        right = wrong = missed = hidden = 0
        for identity, fact in self._carrying(kind, attribute):
            if identity in self.hidden:
                hidden += 1
                continue
            told = self._told(identity, attribute)
            if told is None:
                missed += 1
            elif same_value(attribute, fact.data[attribute], told):
                right += 1
            else:
                wrong += 1
        return ScoreRow.of(
            kind,
            attribute,
            true_positives=right,
            false_positives=wrong,
            false_negatives=missed + wrong,
            not_evaluable=hidden,
        )

    def _carrying(self, kind: str, attribute: str) -> list[tuple[FactId, Fact]]:
        return [
            (identity, fact)
            for identity, fact in sorted(self.facts.items())
            if identity[0] == kind and is_told(fact.data.get(attribute))
        ]

    def _told(self, identity: FactId, attribute: str) -> JsonValue:
        found = self.true.get(identity)
        return None if found is None else found.data.get(attribute)

    def false_negatives(self) -> tuple[MissedFact, ...]:
        """Return the facts that were not found, and the attributes that found ones were told without."""
        missed = []
        places = {key for _, key in self.true}
        for (kind, key), fact in sorted(self.facts.items()):
            if (kind, key) in self.hidden:
                continue
            if (kind, key) not in self.true:
                nearest = next((outer for outer in reversed(outside(key)) if outer in places), None)
                missed.append(MissedFact(kind=kind, key=key, nearest=nearest, hard=fact.hard))
                continue
            missed += [
                MissedFact(
                    kind=kind,
                    key=key,
                    attribute=attribute,
                    expected=fact.data[attribute],
                    nearest=key,
                    collectors=self.true[kind, key].collectors,
                    hard=fact.hard,
                )
                for attribute in self.attributes(kind)
                if is_told(fact.data.get(attribute)) and self._told((kind, key), attribute) is None
            ]
        return tuple(missed)

    def wrong_values(self) -> tuple[WrongValue, ...]:
        """Return the attributes that were told wrongly, with who said what."""
        wrong = []
        for (kind, key), found in sorted(self.true.items()):
            fact = self.facts[kind, key]
            for attribute in self.attributes(kind):
                expected, told = fact.data.get(attribute), found.data.get(attribute)
                if not is_told(expected) or told is None or same_value(attribute, expected, told):
                    continue
                wrong.append(
                    WrongValue(
                        kind=kind,
                        key=key,
                        attribute=attribute,
                        expected=expected,
                        found=told,
                        evidence=tuple(
                            Evidence(
                                collector=finding.collector,
                                value=finding.discovery.data.get(attribute),
                                confidence=finding.discovery.confidence,
                            )
                            for finding in found.findings
                            if is_told(finding.discovery.data.get(attribute))
                        ),
                        hard=fact.hard,
                    )
                )
        return tuple(wrong)


def _not_evaluable(facts: Iterable[FactId], found: Iterable[Merged]) -> dict[FactId, str]:
    """Return the facts inside what refused the credential and of which nothing inside was found."""
    named = [one for one in found if one.named]
    opened = {outer for one in named for outer in around(one.key)}
    closed = {one.key for one in named if one.kind in _MAY_REFUSE and one.refused} - opened
    hidden = {}
    for kind, key in facts:
        refusing = next((outer for outer in around(key) if outer in closed), None)
        if refusing is not None:
            hidden[kind, key] = refusing
    return hidden


def _hard_cases(
    facts: Mapping[FactId, Fact],
    hidden: Mapping[FactId, str],
    missed: Iterable[MissedFact],
    wrong: Iterable[WrongValue],
) -> tuple[HardCase, ...]:
    """Return every hard fact with what became of it, the worst that holds."""
    judged: dict[FactId, Judgement] = dict.fromkeys(hidden, "not_evaluable")
    for one in missed:
        judged[one.kind, one.key] = "missed" if one.attribute is None else "incomplete"
    judged |= {(one.kind, one.key): "wrong" for one in wrong}
    return tuple(
        HardCase(kind=kind, key=key, reason=fact.hard, judgement=judged.get((kind, key), "found"))
        for (kind, key), fact in sorted(facts.items())
        if fact.hard is not None
    )


def _average(rows: Sequence[ScoreRow], *, evaluable: int, facts: int) -> Averages:
    def mean(values: list[float | None]) -> float | None:
        defined = [value for value in values if value is not None]
        return sum(defined) / len(defined) if defined else None

    return Averages(
        precision=mean([row.precision for row in rows]),
        recall=mean([row.recall for row in rows]),
        f1=mean([row.f1 for row in rows]),
        coverage=evaluable / facts if facts else None,
    )
