"""Scores what collectors found against the ground truth; a pure function, defined in `docs/scoring.md`.

Every step is linear or a sort, in facts, findings and characters of keys (`bench/parts/scoring.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter

from approval_api.scoring.comparison import Comparison, FactId, KindFacts
from approval_api.scoring.merging import Finding, Merged, Placed, merge, place_all
from approval_api.scoring.places import SortedKeys, canonical
from dryrun_contract.ground_truth import Fact
from dryrun_contract.scores import (
    MAX_OWN_LISTED,
    CollectorScores,
    FalsePositive,
    FoundFact,
    HardCase,
    Judgement,
    MissedFact,
    NotEvaluableFact,
    Scores,
    WrongValue,
)

_MAY_REFUSE = frozenset({"service", "database"})


def score(truth: Iterable[Fact], findings: Iterable[Finding], addresses: Mapping[str, str]) -> Scores:
    """Return the scores of `findings` against `truth`; `addresses` maps addresses to service names.

    The order of `truth` and `findings` does not matter, and neither does a repeated finding.
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
        false_positives=_false_positives(comparison),
        wrong_values=wrong,
        not_evaluable=tuple(
            NotEvaluableFact(kind=kind, key=key, service=hidden[kind, key], hard=facts[kind, key].hard)
            for kind, key in sorted(hidden)
        ),
        hard_cases=_hard_cases(facts, hidden, missed, wrong),
    )


type Claims = Mapping[str, Sequence[str]]
"""Kind → its scored attributes that a collector says it reports."""


def score_each_alone(
    truth: Iterable[Fact],
    findings: Iterable[Finding],
    addresses: Mapping[str, str],
    claims: Mapping[str, Claims] | None = None,
) -> tuple[CollectorScores, ...]:
    """Return the scores of each collector alone, by name.

    A collector in `claims` is scored for what it claims, also where it reported nothing; another one for
    the kinds that it reported.
    """
    by_collector: defaultdict[str, list[Placed]] = defaultdict(list)
    for placed in place_all(findings, addresses):
        by_collector[placed.finding.collector].append(placed)
    kinds = _by_kind(truth)
    claimed = claims or {}
    return tuple(
        _alone(collector, kinds, by_collector.get(collector, ()), claimed.get(collector))
        for collector in sorted(by_collector.keys() | claimed.keys())
    )


def _alone(
    collector: str, kinds: Mapping[str, KindFacts], own: Sequence[Placed], claims: Claims | None
) -> CollectorScores:
    reported = {placed.finding.discovery.kind for placed in own}
    chosen = reported if claims is None else claims.keys()
    comparison = _compare({name: kind for name, kind in kinds.items() if name in reported | chosen}, own)

    def counts(kind: str, attribute: str | None = None) -> bool:
        return claims is None or (kind in claims and (attribute is None or attribute in claims[kind]))

    rows = tuple(row for row in comparison.rows() if counts(row.kind, row.attribute))
    scored = comparison
    if claims is not None:
        scored = _compare({name: kind for name, kind in kinds.items() if name in claims}, own)
    return CollectorScores(
        collector=collector,
        rows=rows,
        overall=scored.average(rows),
        rows_not_claimed=tuple(row for row in comparison.rows() if not counts(row.kind, row.attribute)),
        false_negatives=_first(one for one in scored.false_negatives() if counts(one.kind, one.attribute)),
        false_positives=_first(one for one in _false_positives(scored) if counts(one.kind)),
        wrong_values=_first(one for one in scored.wrong_values() if counts(one.kind, one.attribute)),
    )


def _first[T](listed: Iterable[T]) -> tuple[T, ...]:
    return tuple(islice(listed, MAX_OWN_LISTED))


def _false_positives(comparison: Comparison) -> tuple[FalsePositive, ...]:
    return tuple(
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
    )


def _by_kind(truth: Iterable[Fact]) -> dict[str, KindFacts]:
    kinds: defaultdict[str, dict[str, Fact]] = defaultdict(dict)
    for fact in truth:
        kinds[fact.kind][canonical(fact.key)] = fact
    return {name: KindFacts.of(name, facts) for name, facts in kinds.items()}


def _compare(kinds: Mapping[str, KindFacts], findings: Iterable[Placed]) -> Comparison:
    """Divide the findings into true and false positives.

    True is a finding at the address of a service (`named`) whose kind and key are a fact's; every other is a
    false positive. A true one with another value than the fact's is a wrong value (`wrong_values`).
    """
    true: dict[FactId, Merged] = {}
    false_positives, named = [], []
    for found in merge(findings).values():
        if found.named:
            named.append(found)
        if found.named and found.kind in kinds and found.key in kinds[found.kind].facts:
            true[found.kind, found.key] = found
        else:
            false_positives.append(found)
    return Comparison(kinds, true, false_positives, _not_evaluable(kinds, named))


def _not_evaluable(kinds: Mapping[str, KindFacts], named: Sequence[Merged]) -> dict[FactId, str]:
    """Return the facts inside resources that refused the credential and in which nothing was found.

    Each has the key of that resource.
    """
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
    """Return every hard case with its judgement, the worst that applies."""
    judged: dict[FactId, Judgement] = dict.fromkeys(hidden, "not_evaluable")
    for one in missed:
        judged[one.kind, one.key] = "missed" if one.attribute is None else "incomplete"
    judged |= {(one.kind, one.key): "wrong" for one in wrong}
    return tuple(
        HardCase(kind=kind, key=key, reason=fact.hard, judgement=judged.get((kind, key), "found"))
        for (kind, key), fact in facts.items()
        if fact.hard is not None
    )
