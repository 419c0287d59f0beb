"""The figures of a report that lists of sessions show."""

from collections.abc import Iterable

from approval_api.reports.criteria import Criteria, judge
from dryrun_contract.base import Word
from dryrun_contract.report import Report
from dryrun_contract.scores import ScoreRow


class CollectorMeasures(Word):
    """What a trend shows of one collector alone."""

    image: str
    """The ID of the image that it ran from."""
    recall: float | None
    precision: float | None
    seconds: float | None


class Measures(Word):
    """What a trend shows of one session: recall and precision are those of services."""

    recall: float | None
    precision: float | None
    harmed: int
    seconds: float | None
    packets: int | None
    collectors: dict[str, CollectorMeasures]

    @classmethod
    def of(cls, report: Report) -> "Measures | None":
        """Return the measures of a report; None for one without scores."""
        if report.scores is None:
            return None
        recall, precision = _services(report.scores.rows)
        own = {each.collector: _services(each.rows) for each in report.collector_scores}
        return cls(
            recall=recall,
            precision=precision,
            harmed=len(report.harmed_targets()),
            seconds=report.scan_seconds(),
            packets=report.packets(),
            collectors={
                run.collector: CollectorMeasures(
                    image=run.image_id,
                    recall=own.get(run.collector, (None, None))[0],
                    precision=own.get(run.collector, (None, None))[1],
                    seconds=run.seconds,
                )
                for run in report.collectors
            },
        )


def _services(rows: Iterable[ScoreRow]) -> tuple[float | None, float | None]:
    found = ((row.recall, row.precision) for row in rows if (row.kind, row.attribute) == ("service", None))
    return next(found, (None, None))


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
    measures: Measures | None = None
    """What trends show."""
    passed: bool | None = None
    """The verdict by the session's criteria; None where there are no scores."""

    @classmethod
    def of(cls, report: Report, criteria: Criteria | None) -> "Figures":
        """Return the figures of a report, judged by `criteria`."""
        scores = report.scores
        keys = [row for row in scores.rows if row.attribute is None] if scores else []
        return cls(
            precision=scores.overall.precision if scores else None,
            recall=scores.overall.recall if scores else None,
            f1=scores.overall.f1 if scores else None,
            missed=sum(row.false_negatives for row in keys) if scores else None,
            false_positives=sum(row.false_positives for row in keys) if scores else None,
            harmed=len(report.harmed_targets()),
            cut=any(
                run.truncated or not run.complete for run in report.collectors if run.purpose == "discovery"
            ),
            measures=Measures.of(report),
            passed=judge(report, criteria).passed if scores and criteria else None,
        )
