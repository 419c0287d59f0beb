"""Measured runs, by the network that they scanned, and the figures of their counts added up. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from approval_api.experiments.measure import Measured, RowCounts
from approval_api.experiments.statistics import Share

type Network = tuple[str, int]
"""Template and seed."""
type Row = tuple[str, str | None]
"""Kind and attribute."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run."""

    arm: str
    template: str
    seed: int
    repetition: int
    measured: Measured

    @property
    def network(self) -> Network:
        """What it scanned."""
        return self.template, self.seed


def by_network(runs: Iterable[Run]) -> list[list[Run]]:
    """Return the runs of each network together."""
    found: defaultdict[Network, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.network].append(run)
    return [found[network] for network in sorted(found)]


def rows_of(runs: Iterable[Run]) -> list[Row]:
    """Return the rows that any of the runs has."""
    return sorted(
        {(row.kind, row.attribute) for run in runs for row in run.measured.rows},
        key=lambda row: (row[0], row[1] or ""),
    )


def counts_of(run: Run, row: Row) -> RowCounts:
    """Return a run's counts in a row, zeros where it has none."""
    for each in run.measured.rows:
        if (each.kind, each.attribute) == row:
            return each
    return RowCounts(kind=row[0], attribute=row[1], true_positives=0, false_positives=0, false_negatives=0)


def recall(counts: Iterable[RowCounts]) -> Share:
    """Return how many facts were found of those that could be."""
    added = list(counts)
    true = sum(each.true_positives for each in added)
    return Share(true, true + sum(each.false_negatives for each in added))


def precision(counts: Iterable[RowCounts]) -> Share:
    """Return how many reports were true of all."""
    added = list(counts)
    true = sum(each.true_positives for each in added)
    return Share(true, true + sum(each.false_positives for each in added))


def f1(counts: Iterable[RowCounts]) -> Share:
    """Return twice the true ones of twice the true and every false one."""
    added = list(counts)
    true = 2 * sum(each.true_positives for each in added)
    return Share(true, true + sum(each.false_positives + each.false_negatives for each in added))


def mean_of(runs: Iterable[Run], value: Callable[[Measured], float | None]) -> Share:
    """Return the sum of a figure over the runs that have it, and their number."""
    values = [each for run in runs if (each := value(run.measured)) is not None]
    return Share(sum(values), len(values))
