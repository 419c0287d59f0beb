"""The ground truth compared with the findings: counts, and the facts and values missed or wrong."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

from pydantic import JsonValue

from approval_api.scoring.merging import Merged
from approval_api.scoring.places import SortedKeys, host_of, innermost_around
from approval_api.scoring.values import has_value, same_value
from dryrun_contract.ground_truth import Fact
from dryrun_contract.kinds import KINDS
from dryrun_contract.scores import Averages, MissedFact, ScoreRow, ValueEvidence, WrongValue

type FactId = tuple[str, str]
"""A fact's kind and key; the key by service name, in canonical form."""


@dataclass(frozen=True, slots=True)
class KindFacts:
    """The facts of one kind, counted once for every comparison with them."""

    facts: Mapping[str, Fact]
    """By key, in order."""
    attributes: tuple[str, ...]
    """Attributes that facts of this kind have and the contract scores, in the contract's order."""
    carriers: Mapping[str, int]
    """The number of facts that have an attribute, by attribute."""
    keys: SortedKeys

    @classmethod
    def of(cls, name: str, facts: Mapping[str, Fact]) -> Self:
        """Return the facts of the kind `name`, counted."""
        carriers = Counter(
            attribute for fact in facts.values() for attribute, value in fact.data.items() if has_value(value)
        )
        scored = KINDS[name].scored if name in KINDS else tuple(sorted(carriers))
        return cls(
            facts=dict(sorted(facts.items())),
            attributes=tuple(one for one in scored if one in carriers),
            carriers=carriers,
            keys=SortedKeys(key for key in facts if host_of(key) is not None),
        )

    def without_hard(self, name: str) -> "KindFacts":
        """Return the facts without hard ones, which a good collector may miss."""
        return KindFacts.of(name, {key: fact for key, fact in self.facts.items() if fact.hard is None})


@dataclass(frozen=True, slots=True)
class Comparison:
    """The facts beside the findings."""

    kinds: Mapping[str, KindFacts]
    true: Mapping[FactId, Merged]
    """True positives: merged findings that match a fact."""
    false_positives: Sequence[Merged]
    """Merged findings that match no fact."""
    hidden: Mapping[FactId, str]
    """Facts that are not evaluable, with the key of the resource that refused the credential."""

    def facts(self) -> dict[FactId, Fact]:
        """Return all facts, in order."""
        return {
            (name, key): fact for name, kind in sorted(self.kinds.items()) for key, fact in kind.facts.items()
        }

    def without_hard(self) -> "Comparison":
        """Return the comparison without hard cases; finding one counts neither for nor against."""
        easy = {name: kind.without_hard(name) for name, kind in self.kinds.items()}
        return Comparison(
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
            kind = self.kinds.get(name) or KindFacts.of(name, {})
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
        """Return the numbers of right, wrong and not evaluable values, each by kind and attribute."""
        right: Counter[FactId] = Counter()
        wrong: Counter[FactId] = Counter()
        for name, attribute, expected, reported in self._reported_values():
            (right if same_value(attribute, expected, reported) else wrong)[name, attribute] += 1
        unseen = Counter(
            (name, attribute)
            for name, key in self.hidden
            for attribute, value in self.kinds[name].facts[key].data.items()
            if has_value(value)
        )
        return right, wrong, unseen

    def _reported_values(self) -> Iterator[tuple[str, str, JsonValue, JsonValue]]:
        for (name, key), found in self.true.items():
            kind = self.kinds[name]
            for attribute in kind.attributes:
                expected, reported = kind.facts[key].data.get(attribute), found.data.get(attribute)
                if has_value(expected) and reported is not None:
                    yield name, attribute, expected, reported

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
        """Return the facts that were not found, and the attributes missing from found ones."""
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
                if has_value(fact.data.get(attribute)) and found.data.get(attribute) is None
            ]
        return tuple(missed)

    def wrong_values(self) -> tuple[WrongValue, ...]:
        """Return the attributes with a wrong value, and what each collector reported."""
        wrong = []
        for (kind, key), found in sorted(self.true.items(), key=itemgetter(0)):
            fact = self.kinds[kind].facts[key]
            for attribute in self.kinds[kind].attributes:
                expected, reported = fact.data.get(attribute), found.data.get(attribute)
                if not has_value(expected) or reported is None or same_value(attribute, expected, reported):
                    continue
                wrong.append(
                    WrongValue(
                        kind=kind,
                        key=key,
                        attribute=attribute,
                        expected=expected,
                        found=reported,
                        evidence=tuple(
                            ValueEvidence(
                                collector=finding.collector,
                                value=finding.discovery.data.get(attribute),
                                confidence=finding.discovery.confidence,
                            )
                            for finding in found.findings
                            if has_value(finding.discovery.data.get(attribute))
                        ),
                        hard=fact.hard,
                    )
                )
        return tuple(wrong)


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
