"""How a session came out, in a line: what lists show of its report."""

from dryrun_contract.base import Word
from dryrun_contract.report import Report


class Figures(Word):
    """None where the report has no scores."""

    precision: float | None
    recall: float | None
    f1: float | None
    missed: int | None
    invented: int | None
    harmed: int
    """Targets."""

    @classmethod
    def of(cls, report: Report) -> "Figures":
        """Return a report's figures."""
        scores = report.scores
        keys = [row for row in scores.rows if row.attribute is None] if scores else []
        return cls(
            precision=scores.overall.precision if scores else None,
            recall=scores.overall.recall if scores else None,
            f1=scores.overall.f1 if scores else None,
            missed=sum(row.false_negatives for row in keys) if scores else None,
            invented=sum(row.false_positives for row in keys) if scores else None,
            harmed=len({harm.service for harm in report.harmed}),
        )
