"""Criteria about one collector alone, also about one for comparison."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from approval_api.reports.criterion_results import Count, Share, at_least, at_most, holds
from dryrun_contract.base import Word
from dryrun_contract.report import CriterionResult, Report
from dryrun_contract.scan_choice import COLLECTOR_NAME
from dryrun_contract.scores import CollectorScores

type CollectorName = Annotated[str, Field(pattern=COLLECTOR_NAME)]


class CollectorLimits(Word):
    """Limits on what one collector found alone, over what it claims."""

    recall_min: Share | None = None
    precision_min: Share | None = None
    f1_min: Share | None = None
    false_positives_max: Count | None = None
    wrong_values_max: Count | None = None
    complete: bool = False
    """It ran to its end, and none of its output was cut."""


def judge_collectors(
    report: Report, limits: Mapping[CollectorName, CollectorLimits]
) -> Iterator[CriterionResult]:
    """Yield a result for each limit; a collector that did not run, or reported nothing, is not measured."""
    scores = {one.collector: one for one in report.collector_scores}
    runs = {run.collector: run for run in report.collectors}
    for name, limit in limits.items():
        place = f"collectors.{name}"
        yield from _of_scores(place, scores.get(name), limit)
        if limit.complete:
            run = runs.get(name)
            complete = None if run is None else run.complete and not run.truncated
            detail = (run.reason or "complete") if run else "it did not run"
            yield holds(f"{place}.complete", complete, detail)


def _of_scores(place: str, own: CollectorScores | None, limit: CollectorLimits) -> Iterator[CriterionResult]:
    for figure in ("recall", "precision", "f1"):
        least = getattr(limit, f"{figure}_min")
        if least is not None:
            yield at_least(f"{place}.{figure}_min", least, getattr(own and own.overall, figure, None), "")
    rows = () if own is None else own.rows
    if limit.false_positives_max is not None:
        false = sum(row.false_positives for row in rows if row.attribute is None)
        measured = None if own is None else false
        yield at_most(f"{place}.false_positives_max", limit.false_positives_max, measured)
    if limit.wrong_values_max is not None:
        wrong = sum(row.false_positives for row in rows if row.attribute is not None)
        yield at_most(f"{place}.wrong_values_max", limit.wrong_values_max, None if own is None else wrong)
