"""Two reports as one collector for comparison saw their networks: its findings count nowhere else. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from approval_api.experiments.measure import (
    MAX_FACTS,
    FactResult,
    Measured,
    Name,
    RowCounts,
    false_reports,
    short_value,
    shown_value,
)
from approval_api.experiments.runs import Run
from dryrun_contract.report import Report
from dryrun_contract.scores import CollectorScores, MissedFact, ScoreRow, WrongValue


def for_comparison(*reports: Report) -> list[str]:
    """Return the collectors whose findings count in their own scores only, in any of the reports."""
    return sorted({name for report in reports for name in report.for_comparison()})


def runs_alone(before: Report, after: Report, collector: str) -> tuple[Run, Run]:
    """Return what the collector alone achieved in both; where it reported nothing or did not run: nothing."""
    views = (_View.of(before, collector), _View.of(after, collector))
    names = [name for view in views for name in view.missed]
    names += [(kind, key, None) for view in views for kind, key in view.truth]
    first, second = (
        _run(report, collector, view, dict.fromkeys(names))
        for report, view in zip((before, after), views, strict=True)
    )
    return first, second


@dataclass(frozen=True, slots=True)
class _View:
    """One report as the collector saw its network."""

    scores: CollectorScores | None
    truth: frozenset[tuple[str, str]]
    """Kind and key of the facts that it claims to find."""
    missed: Mapping[Name, MissedFact | WrongValue | None]

    @classmethod
    def of(cls, report: Report, collector: str) -> "_View":
        own = next((each for each in report.collector_scores if each.collector == collector), None)
        assert report.scores is not None
        facts = [(each.kind, each.key) for each in report.scores.found]
        facts += [(each.kind, each.key) for each in report.scores.false_negatives if each.attribute is None]
        if own is None:
            return cls(None, frozenset(facts), {(kind, key, None): None for kind, key in facts})
        claimed = {row.kind for row in own.rows}
        lists: list[MissedFact | WrongValue] = [*own.false_negatives, *own.wrong_values]
        return cls(
            own,
            frozenset(fact for fact in facts if fact[0] in claimed),
            {(each.kind, each.key, each.attribute): each for each in lists},
        )

    def fate_of(self, name: Name) -> FactResult | None:
        """Return what became of a fact; None where that is no fact of this view."""
        kind, key, attribute = name
        if (kind, key) not in self.truth:
            return None
        if attribute is not None and (kind, key, None) in self.missed:
            return None
        if name not in self.missed:
            return FactResult(kind=kind, key=key, attribute=attribute, fate="found")
        mistake = self.missed[name]
        value: JsonValue = mistake.found if isinstance(mistake, WrongValue) else None
        return FactResult(
            kind=kind,
            key=key,
            attribute=attribute,
            fate="missed",
            value=None if value is None else shown_value(value),
            expected=None if mistake is None else short_value(mistake.expected),
        )


def _run(report: Report, collector: str, view: _View, names: Mapping[Name, None]) -> Run:
    facts = [fate for name in names if (fate := view.fate_of(name)) is not None]
    runs = [run for run in report.collectors if run.collector == collector]
    false = view.scores.false_positives if view.scores is not None else ()
    kept, left_out = false_reports(false)
    measured = Measured(
        complete=bool(runs) and all(run.complete for run in runs),
        rows=tuple(RowCounts.of(row) for row in _rows(report, view.scores)),
        facts=tuple(facts[:MAX_FACTS]),
        facts_left_out=max(0, len(facts) - MAX_FACTS),
        false_positives=kept,
        false_positives_left_out=left_out,
        seconds=sum(run.seconds or 0 for run in runs) if runs else None,
        packets=None,
        failed_logins=None,
        harmed=0,
    )
    return Run(f"{report.session.id} {collector}", report.template.id, report.template.seed, 0, measured)


def _rows(report: Report, own: CollectorScores | None) -> Iterator[ScoreRow]:
    if own is not None:
        yield from own.rows
        return
    assert report.scores is not None
    for row in report.scores.rows:
        if row.attribute is None and row.has_facts:
            missed = row.true_positives + row.false_negatives
            yield row.model_copy(
                update={"true_positives": 0, "false_positives": 0, "false_negatives": missed}
            )
