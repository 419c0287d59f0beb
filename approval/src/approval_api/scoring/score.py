"""Scores what collectors found against what is true; a pure function, defined in `docs/scoring.md`.

Every step is linear or a sort, in facts, findings and the characters of their keys (`bench/scoring.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

from pydantic import JsonValue

from approval_api.scoring.merging import Finding, Merged, Placed, merge, place_all
from approval_api.scoring.places import SortedKeys, canonical, host_of, innermost_around
from approval_api.scoring.values import is_told, same_value
from dryrun_contract.ground_truth import Fact
from dryrun_contract.kinds import KINDS
from dryrun_contract.scores import (
    Averages,
    CollectorScores,
    FalsePositive,
    FoundFact,
    HardCase,
    Judgement,
    MissedFact,
    NotEvaluableFact,
    ScoreRow,
    Scores,
    ValueEvidence,
    WrongValue,
)

_MAY_REFUSE = frozenset({"service", "database"})

type FactId = tuple[str, str]
"""A fact's kind and key; the key by service name, in canonical form."""


def score(truth: Iterable[Fact], findings: Iterable[Finding], addresses: Mapping[str, str]) -> Scores:
    """Return the scores of `findings` against `truth`; `addresses` maps addresses to service names.

    The order of `truth` and `findings` does not matter, and neither does telling a thing twice.
    """
    comparison = _compare(_by_kind(truth), place_all(findings, addresses))
    facts, true, hidden = comparison.facts(), comparison.true, comparison.hidden
    easy = comparison.without_hard()
    rows, easy_rows = comparison.rows(), easy.rows()
    missed, wrong = comparison.false_negatives(), comparison.wrong_values()
    return Scores(
        rows=rows,
        overall=comparison.average(rows),
        rows_without_hard=easy_rows,
        overall_without_hard=easy.average(easy_rows),
        found=tuple(
            FoundFact(
                kind=kind,
                key=key,
                data=found.data,
                collectors=found.collectors,
                evidence=found.evidence,
                hard=facts[kind, key].hard,
            )
            for (kind, key), found in sorted(true.items(), key=itemgetter(0))
        ),
        false_negatives=missed,
        false_positives=tuple(
            FalsePositive(
                kind=found.kind,
                key=found.key,
                data=found.data,
                collectors=found.collectors,
                evidence=found.evidence,
            )
            for found in sorted(
                comparison.false_positives, key=lambda found: (found.kind, found.key, found.named)
            )
        ),
        wrong_values=wrong,
        not_evaluable=tuple(
            NotEvaluableFact(kind=kind, key=key, service=hidden[kind, key], hard=facts[kind, key].hard)
            for kind, key in sorted(hidden)
        ),
        hard_cases=_hard_cases(facts, hidden, missed, wrong),
    )


def score_each_alone(
    truth: Iterable[Fact], findings: Iterable[Finding], addresses: Mapping[str, str]
) -> tuple[CollectorScores, ...]:
    """Return what each collector alone would have scored, by name, for the kinds that it told anything of."""
    told: defaultdict[str, list[Placed]] = defaultdict(list)
    for placed in place_all(findings, addresses):
        told[placed.finding.collector].append(placed)
    kinds = _by_kind(truth)
    return tuple(_alone(collector, kinds, own) for collector, own in sorted(told.items()))


def _alone(collector: str, kinds: Mapping[str, "_Kind"], own: Sequence[Placed]) -> CollectorScores:
    told = {placed.finding.discovery.kind for placed in own}
    comparison = _compare({name: kind for name, kind in kinds.items() if name in told}, own)
    rows = comparison.rows()
    return CollectorScores(collector=collector, rows=rows, overall=comparison.average(rows))


@dataclass(frozen=True, slots=True)
class _Kind:
    """The facts of one kind, counted once for everybody who is compared with them."""

    facts: Mapping[str, Fact]
    """By key, in order."""
    attributes: tuple[str, ...]
    """Those that facts of this kind carry and the contract scores, in the contract's order."""
    carriers: Mapping[str, int]
    """Attribute → facts that carry it."""
    keys: SortedKeys

    @classmethod
    def of(cls, name: str, facts: Mapping[str, Fact]) -> Self:
        """Count them."""
        carriers = Counter(
            attribute for fact in facts.values() for attribute, value in fact.data.items() if is_told(value)
        )
        scored = KINDS[name].scored if name in KINDS else tuple(sorted(carriers))
        return cls(
            facts=dict(sorted(facts.items())),
            attributes=tuple(one for one in scored if one in carriers),
            carriers=carriers,
            keys=SortedKeys(key for key in facts if host_of(key) is not None),
        )

    def without_hard(self, name: str) -> "_Kind":
        """Return the same without the facts that a good collector may miss."""
        return _Kind.of(name, {key: fact for key, fact in self.facts.items() if fact.hard is None})


def _by_kind(truth: Iterable[Fact]) -> dict[str, _Kind]:
    kinds: defaultdict[str, dict[str, Fact]] = defaultdict(dict)
    for fact in truth:
        kinds[fact.kind][canonical(fact.key)] = fact
    return {name: _Kind.of(name, facts) for name, facts in kinds.items()}


def _compare(kinds: Mapping[str, _Kind], findings: Iterable[Placed]) -> "_Comparison":
    true: dict[FactId, Merged] = {}
    false_positives, named = [], []
    for found in merge(findings).values():
        if found.named:
            named.append(found)
        if found.named and found.kind in kinds and found.key in kinds[found.kind].facts:
            true[found.kind, found.key] = found
        else:
            false_positives.append(found)
    return _Comparison(kinds, true, false_positives, _not_evaluable(kinds, named))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What is true beside what was found."""

    kinds: Mapping[str, _Kind]
    true: Mapping[FactId, Merged]
    """Findings that are facts."""
    false_positives: Sequence[Merged]
    """Findings that are not."""
    hidden: Mapping[FactId, str]
    """Facts that could not be found, with the key of what refused the credential."""

    def facts(self) -> dict[FactId, Fact]:
        """Return all facts, in order."""
        return {
            (name, key): fact for name, kind in sorted(self.kinds.items()) for key, fact in kind.facts.items()
        }

    def without_hard(self) -> "_Comparison":
        """Return the same without the hard facts; finding them counts neither for nor against."""
        easy = {name: kind.without_hard(name) for name, kind in self.kinds.items()}
        return _Comparison(
            {name: kind for name, kind in easy.items() if kind.facts},
            {(kind, key): found for (kind, key), found in self.true.items() if key in easy[kind].facts},
            self.false_positives,
            {(kind, key): service for (kind, key), service in self.hidden.items() if key in easy[kind].facts},
        )

    def rows(self) -> tuple[ScoreRow, ...]:
        """Return a row per kind, in the contract's order, each followed by its attributes' rows."""
        found, hidden = Counter(kind for kind, _ in self.true), Counter(kind for kind, _ in self.hidden)
        by_kind = Counter(one.kind for one in self.false_positives)
        right, wrong, unseen = self._values()
        seen = self.kinds.keys() | by_kind.keys()
        rows = []
        for name in [kind for kind in KINDS if kind in seen] + sorted(seen - KINDS.keys()):
            kind = self.kinds.get(name) or _Kind.of(name, {})
            rows.append(
                ScoreRow.of(
                    name,
                    None,
                    true_positives=found[name],
                    false_positives=by_kind[name],
                    false_negatives=len(kind.facts) - found[name] - hidden[name],
                    not_evaluable=hidden[name],
                )
            )
            for attribute in kind.attributes:
                one = name, attribute
                rows.append(
                    ScoreRow.of(
                        *one,
                        true_positives=right[one],
                        false_positives=wrong[one],
                        false_negatives=kind.carriers[attribute] - right[one] - unseen[one],
                        not_evaluable=unseen[one],
                    )
                )
        return tuple(rows)

    def _values(self) -> tuple[Counter[FactId], Counter[FactId], Counter[FactId]]:
        """Return by kind and attribute how many values are right, wrong, and not evaluable."""
        right: Counter[FactId] = Counter()
        wrong: Counter[FactId] = Counter()
        for name, attribute, expected, told in self._told_values():
            (right if same_value(attribute, expected, told) else wrong)[name, attribute] += 1
        unseen = Counter(
            (name, attribute)
            for name, key in self.hidden
            for attribute, value in self.kinds[name].facts[key].data.items()
            if is_told(value)
        )
        return right, wrong, unseen

    def _told_values(self) -> Iterator[tuple[str, str, JsonValue, JsonValue]]:
        for (name, key), found in self.true.items():
            kind = self.kinds[name]
            for attribute in kind.attributes:
                expected, told = kind.facts[key].data.get(attribute), found.data.get(attribute)
                if is_told(expected) and told is not None:
                    yield name, attribute, expected, told

    def average(self, rows: Sequence[ScoreRow]) -> Averages:
        """Return the means over `rows`."""
        facts = sum(len(kind.facts) for kind in self.kinds.values())
        return Averages(
            precision=_mean([row.precision for row in rows]),
            recall=_mean([row.recall for row in rows]),
            f1=_mean([row.f1 for row in rows]),
            coverage=(facts - len(self.hidden)) / facts if facts else None,
        )

    def false_negatives(self) -> tuple[MissedFact, ...]:
        """Return the facts that were not found, and the attributes that found ones were told without."""
        facts = self.facts()
        unfound = [one for one in facts if one not in self.true and one not in self.hidden]
        nearest = innermost_around({key for _, key in unfound}, {key for _, key in self.true})
        missed = []
        for (kind, key), fact in facts.items():
            if (kind, key) in self.hidden:
                continue
            found = self.true.get((kind, key))
            if found is None:
                missed.append(MissedFact(kind=kind, key=key, nearest=nearest.get(key), hard=fact.hard))
                continue
            missed += [
                MissedFact(
                    kind=kind,
                    key=key,
                    attribute=attribute,
                    expected=fact.data[attribute],
                    nearest=key,
                    collectors=found.collectors,
                    hard=fact.hard,
                )
                for attribute in self.kinds[kind].attributes
                if is_told(fact.data.get(attribute)) and found.data.get(attribute) is None
            ]
        return tuple(missed)

    def wrong_values(self) -> tuple[WrongValue, ...]:
        """Return the attributes that were told wrongly, with who said what."""
        wrong = []
        for (kind, key), found in sorted(self.true.items(), key=itemgetter(0)):
            fact = self.kinds[kind].facts[key]
            for attribute in self.kinds[kind].attributes:
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
                            ValueEvidence(
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


def _not_evaluable(kinds: Mapping[str, _Kind], named: Sequence[Merged]) -> dict[FactId, str]:
    """Return the facts inside what refused the credential and of which nothing inside was found."""
    refused = {one.key for one in named if one.kind in _MAY_REFUSE and one.refused}
    if not refused:
        return {}
    found = SortedKeys(one.key for one in named)
    closed = [place for place in refused if next(found.inside(place), None) is None]
    return {
        (name, key): place
        for place in closed
        for name, kind in kinds.items()
        for key in kind.keys.inside(place)
    }


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
        for (kind, key), fact in facts.items()
        if fact.hard is not None
    )


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
