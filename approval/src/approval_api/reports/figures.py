"""The figures of a report that lists of sessions show."""

from approval_api.reports.criteria import DEFAULT_CRITERIA, judge
from dryrun_contract.base import Word
from dryrun_contract.report import Report


class Figures(Word):
    """One session in a line; None where its report has no scores."""

    precision: float | None
    recall: float | None
    f1: float | None
    missed: int | None
    false_positives: int | None
    harmed: int
    """Targets."""
    cut: bool = False
    """Some collector, not for comparison, did not run to its end."""
    passed: bool | None = None
    """The verdict by the default criteria; None where there are no scores."""

    @classmethod
    def of(cls, report: Report) -> "Figures":
        """Return the figures of a report."""
        scores = report.scores
        keys = [row for row in scores.rows if row.attribute is None] if scores else []
        return cls(
            precision=scores.overall.precision if scores else None,
            recall=scores.overall.recall if scores else None,
            f1=scores.overall.f1 if scores else None,
            missed=sum(row.false_negatives for row in keys) if scores else None,
            false_positives=sum(row.false_positives for row in keys) if scores else None,
            harmed=len({harm.service for harm in report.harmed}),
            cut=any(
                run.truncated or not run.complete for run in report.collectors if run.purpose == "discovery"
            ),
            passed=judge(report, DEFAULT_CRITERIA).passed if scores else None,
        )
