"""One arm beside the baseline, paired by network: figures, and facts that only one found. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from approval_api.experiments.false_reports import false_differences
from approval_api.experiments.measure import Measured, RowCounts
from approval_api.experiments.runs import (
    Network,
    Row,
    Run,
    by_network,
    counts_of,
    mean_of,
    precision,
    recall,
    rows_of,
)
from approval_api.experiments.statistics import (
    Share,
    benjamini_hochberg,
    fisher_exact,
    interval_of_difference,
    sign_flip,
)
from dryrun_contract.experiment_results import MAX_DIFFERENCES, Contrast, Difference, Interval, RowDifference

_MOST_VALUES = 5
MAX_FALSE = 100
"""False positives on which arms differ, in one comparison; more are counted."""
_ROWS_CHANCE = 0.01
"""How often a scanner compared with itself may show a clear difference, over all rows together."""
FALSE_CLAIMS = 0.05
"""The share of facts called lost, gained or changed that may be so by chance."""

type _Pair = tuple[list[Run], list[Run]]
"""Runs of the baseline and of the arm on one network."""
type FactName = tuple[str, str, str, str]
"""Template, kind, key, attribute or ""."""
type _Figure = Callable[[Iterable[RowCounts]], Share]


def contrast(baseline: str, own: Sequence[Run], arm: str, others: Sequence[Run]) -> Contrast:
    """Return how the arm's runs differ from the baseline's."""
    pairs = _pairs(own, others)
    found = differences(tallies_of(own), tallies_of(others))
    false = false_differences(own, others, FALSE_CLAIMS)
    return Contrast(
        arm=arm,
        baseline=baseline,
        pairs=len(pairs),
        rows=_rows(pairs),
        seconds=_average(pairs, lambda each: each.seconds),
        packets=_average(pairs, lambda each: each.packets),
        differences=tuple(found[:MAX_DIFFERENCES]),
        left_out=max(0, len(found) - MAX_DIFFERENCES),
        false_positives=tuple(false[:MAX_FALSE]),
        false_positives_left_out=max(0, len(false) - MAX_FALSE),
    )


def _pairs(own: Sequence[Run], others: Sequence[Run]) -> list[_Pair]:
    beside: dict[Network, list[Run]] = {runs[0].network: runs for runs in by_network(others)}
    return [(runs, beside[runs[0].network]) for runs in by_network(own) if runs[0].network in beside]


def _average(pairs: Sequence[_Pair], value: Callable[[Measured], float | None]) -> Interval:
    return interval_of_difference([(mean_of(own, value), mean_of(others, value)) for own, others in pairs])


def _rows(pairs: Sequence[_Pair]) -> tuple[RowDifference, ...]:
    rows = rows_of(run for pair in pairs for runs in pair for run in runs)
    figures: tuple[_Figure, ...] = (recall, precision)
    directions = {
        (row, figure): list(_by_repetition(pairs, row, figure)) for row in rows for figure in figures
    }
    # Whatever nobody did differently could not have been rejected, and does not make the others harder to.
    tested = [name for name, differences in directions.items() if any(differences)]
    limit = _ROWS_CHANCE / max(1, len(tested))
    clear = {name for name in tested if sign_flip(directions[name]) <= limit}
    return tuple(
        RowDifference(
            kind=row[0],
            attribute=row[1],
            recall=(recalls := _difference(pairs, row, recall)),
            precision=(precisions := _difference(pairs, row, precision)),
            is_clear=((row, recall) in clear and _leaves_out_zero(recalls))
            or ((row, precision) in clear and _leaves_out_zero(precisions)),
        )
        for row in rows
    )


def _leaves_out_zero(interval: Interval) -> bool:
    return interval.low is not None and interval.high is not None and not interval.low <= 0 <= interval.high


def _difference(pairs: Sequence[_Pair], row: Row, figure: _Figure) -> Interval:
    return interval_of_difference(
        [
            (figure(counts_of(run, row) for run in own), figure(counts_of(run, row) for run in others))
            for own, others in pairs
        ]
    )


def _by_repetition(pairs: Sequence[_Pair], row: Row, figure: _Figure) -> Iterator[float]:
    for own, others in pairs:
        for before, after in zip(own, others, strict=False):
            first, second = figure([counts_of(before, row)]), figure([counts_of(after, row)])
            if first.whole and second.whole:
                yield second.part / second.whole - first.part / first.whole


@dataclass(slots=True)
class Tally:
    """One fact over all runs of an arm in which it is true and could be seen.

    `values` counts what was reported as text, right or wrong.
    """

    found: int = 0
    of: int = 0
    values: Counter[str] = field(default_factory=Counter)
    expected: JsonValue = None


def differences(before: Mapping[FactName, Tally], after: Mapping[FactName, Tally]) -> list[Difference]:
    """Return the facts that are found, or reported, differently often; those lost first."""
    # A fact that one arm never had the chance to see is no difference between them.
    both = sorted(name for name in before if name in after)
    differing = [name for name in both if _differ(before[name], after[name])]
    rejected = benjamini_hochberg([_chance(before[name], after[name]) for name in differing], FALSE_CLAIMS)
    found = [
        _difference_of(name, before[name], after[name], clear=clear)
        for name, clear in zip(differing, rejected, strict=True)
    ]
    order = ("lost", "gained", "changed", "unclear")
    return sorted(found, key=lambda each: order.index(each.judgement))


def _differ(before: Tally, after: Tally) -> bool:
    if before.found * after.of != after.found * before.of:
        return True
    usual = _usual(before)
    return usual is not None and bool(after.values) and _share(before, usual) != _share(after, usual)


def _chance(before: Tally, after: Tally) -> float:
    """Return the p-value of a difference: how often the fact is found, or its usual value reported."""
    if before.found * after.of != after.found * before.of:
        return fisher_exact(before.found, before.of, after.found, after.of)
    usual = _usual(before) or ""
    return fisher_exact(
        before.values[usual], before.values.total(), after.values[usual], after.values.total()
    )


def _usual(tally: Tally) -> str | None:
    return min(tally.values, key=lambda value: (-tally.values[value], value), default=None)


def _share(tally: Tally, value: str) -> float:
    return tally.values[value] / tally.values.total()


def _difference_of(name: FactName, before: Tally, after: Tally, *, clear: bool) -> Difference:
    template, kind, key, attribute = name
    return Difference(
        template=template,
        kind=kind,
        key=key,
        attribute=attribute or None,
        expected=before.expected if before.expected is not None else after.expected,
        found_by_baseline=before.found,
        of_baseline=before.of,
        found_by_arm=after.found,
        of_arm=after.of,
        baseline_values=dict(before.values.most_common(_MOST_VALUES)),
        arm_values=dict(after.values.most_common(_MOST_VALUES)),
        judgement=_judgement(before, after) if clear else "unclear",
    )


def _judgement(before: Tally, after: Tally) -> Literal["lost", "gained", "changed"]:
    first, second = before.found * after.of, after.found * before.of
    if first == second:
        return "changed"
    return "lost" if first > second else "gained"


def tallies_of(runs: Iterable[Run]) -> dict[FactName, Tally]:
    """Return the facts of some runs. What could not be evaluated in a run does not count there."""
    tallies: defaultdict[FactName, Tally] = defaultdict(Tally)
    for run in runs:
        for fact in run.measured.facts:
            if fact.fate == "not_evaluable":
                continue
            tally = tallies[run.template, fact.kind, fact.key, fact.attribute or ""]
            tally.of += 1
            tally.found += fact.fate == "found"
            if fact.value is not None:
                tally.values[fact.value] += 1
            if fact.expected is not None:
                tally.expected = fact.expected
    return tallies
