"""Criteria that a client sets, and the verdict on a report by them."""

import difflib
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from approval_api.reports.collector_criteria import CollectorLimits, CollectorName, judge_collectors
from approval_api.reports.criterion_results import Count, Share, at_least, at_most, holds
from approval_api.reports.side_effect_criteria import judge_side_effects
from approval_api.sessions.stored import StoredSession
from dryrun_contract.base import Word
from dryrun_contract.kinds import KINDS, title_of
from dryrun_contract.report import CollectorRun, CriterionResult, Report, Verdict
from dryrun_contract.scores import Averages, ScoreRow
from dryrun_contract.text import printable

_ROW_NAMES = frozenset(
    name
    for kind in KINDS.values()
    for name in (kind.name, *kind.scored, *(f"{kind.name}.{attribute}" for attribute in kind.scored))
)
"""The rows that a report can have facts in; of other names no figure would ever be measured."""


def _row_name(name: str) -> str:
    if name not in _ROW_NAMES:
        close = difflib.get_close_matches(name[:100], sorted(_ROW_NAMES), n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(KINDS)} and their attributes"
        raise ValueError(f"{printable(name, limit=40)!r} is neither a kind nor an attribute; {hint}")
    return name


class AverageLimits(Word):
    """Limits on the macro averages."""

    recall_min: Share | None = None
    precision_min: Share | None = None
    f1_min: Share | None = None
    coverage_min: Share | None = None


class RowLimits(Word):
    """Limits on one row: a kind (`host`) or an attribute (`version`)."""

    recall_min: Share | None = None
    precision_min: Share | None = None
    f1_min: Share | None = None
    false_positives_max: Count | None = None


class Criteria(Word):
    """All optional; only those set are checked. `false_positives_max` counts discoveries, not attributes."""

    overall: AverageLimits = AverageLimits()
    kinds: dict[Annotated[str, AfterValidator(_row_name)], RowLimits] = Field(default_factory=dict)
    """By row: `host`, `product`, `service.version`, …; a name of several rows applies to each."""
    hard_facts: bool = True
    """Whether recall, precision and F1 include hard cases."""
    collectors: dict[CollectorName, CollectorLimits] = Field(default_factory=dict, max_length=50)
    """By the collector's name, also of one for comparison; hard cases count."""
    false_positives_max: Count | None = None
    wrong_values_max: Count | None = None
    not_evaluable_max: Count | None = None
    targets_harmed_max: Count | None = None
    failed_logins_max: Count | None = None
    """Over all targets whose logs show failed logins; accounts may be locked after a few."""
    pages_printed_max: Count | None = None
    accounts_locked_max: Count | None = None
    restarts_max: Count | None = None
    credentials_shown_max: Count | None = None
    """Credentials that were shown to hosts that should not have had them."""
    no_side_effects: bool = False
    """None of these four, on any target that can suffer it; not checked where no target can."""
    peak_packets_per_second_max: Annotated[float, Field(ge=0)] | None = None
    complete_scan: bool = False
    """Every collector but those for comparison is complete, and none of their output was cut."""
    scope: bool = False
    """The probe proved that nothing leads out, and no discovery lies outside; packets are not observed."""


DEFAULT_CRITERIA = Criteria(
    overall=AverageLimits(recall_min=0.8, precision_min=0.9),
    hard_facts=False,
    false_positives_max=0,
    targets_harmed_max=0,
    failed_logins_max=10,
    no_side_effects=True,
    peak_packets_per_second_max=5000,
    complete_scan=True,
    scope=True,
)
"""Used when a client sets none: most easy facts found, no false positives, no harm, nobody locked out."""


def own_criteria(stored: StoredSession) -> Criteria | None:
    """Return what a session is judged by; None for criteria of another version that this one cannot read."""
    if stored.criteria is None:
        return DEFAULT_CRITERIA
    try:
        return Criteria.model_validate(stored.criteria)
    except ValidationError:
        return None


def judge(report: Report, criteria: Criteria) -> Verdict:
    """Return the verdict. A scan that is not over and an incomplete history fail, whatever the figures."""
    results = (
        *_preconditions(report),
        *_scored(report, criteria),
        *judge_collectors(report, criteria.collectors),
        *_counted(report, criteria),
    )
    return Verdict(passed=all(result.status == "passed" for result in results), results=results)


def _preconditions(report: Report) -> Iterator[CriterionResult]:
    if not report.scan_over:
        yield holds("scan_over", False, "the scan is not over; figures may still change")
    if not report.history_complete:
        yield holds("history_complete", False, "events of this session were lost; figures cover the rest")
    if report.left_out:
        left_out = f"{report.left_out:,} events exceed the limit of a report; figures cover the others"
        yield holds("nothing_left_out", False, left_out)


def _scored(report: Report, criteria: Criteria) -> Iterator[CriterionResult]:
    averages: Averages | None = None
    rows: tuple[ScoreRow, ...] = ()
    if report.scores is not None:
        scores = report.scores
        averages = scores.overall if criteria.hard_facts else scores.overall_without_hard
        rows = scores.rows if criteria.hard_facts else scores.rows_without_hard
    aside = "" if criteria.hard_facts else ", hard cases left out"
    for name, limit in criteria.overall.model_dump(exclude_none=True).items():
        figure = name.removesuffix("_min")
        yield at_least(
            f"overall.{name}",
            limit,
            getattr(averages, figure, None),
            aside + (_not_looked_for(report) if figure in {"recall", "f1"} else ""),
        )
    for row_name, limits in criteria.kinds.items():
        found = [row for row in rows if row_name in (row.name, f"{row.kind}.{row.attribute}")]
        for name, limit in limits.model_dump(exclude_none=True).items():
            # Several kinds have a version: a bare `version` applies to each.
            for row in found or (None,):
                of = row_name if row is None or len(found) == 1 else f"{row.kind}.{row_name}"
                criterion = f"kinds.{of}.{name}"
                if name == "false_positives_max":
                    # A kind in neither ground truth nor discoveries has no row and no false positive.
                    measured = None if report.scores is None else (row.false_positives if row else 0)
                    yield at_most(criterion, limit, measured)
                else:
                    yield at_least(criterion, limit, getattr(row, name.removesuffix("_min"), None), aside)


def _not_looked_for(report: Report) -> str:
    """Return an aside on kinds that no scored collector looks for: an average counts them as missed."""
    kinds = report.scores.not_looked_for if report.scores else {}
    return f"; no scored collector looks for {', '.join(map(title_of, kinds))}" if kinds else ""


def _counted(report: Report, criteria: Criteria) -> Iterator[CriterionResult]:
    scores = report.scores
    for what in ("false_positives", "wrong_values", "not_evaluable"):
        limit = getattr(criteria, f"{what}_max")
        if limit is not None:
            yield at_most(f"{what}_max", limit, None if scores is None else len(getattr(scores, what)))
    if criteria.targets_harmed_max is not None:
        # Harm is recorded while collectors run: without a scan nothing could have caused any.
        harmed = len(report.harmed_targets()) if report.collectors else None
        yield at_most("targets_harmed_max", criteria.targets_harmed_max, harmed)
    if criteria.failed_logins_max is not None:
        yield _failed_logins(report, criteria.failed_logins_max)
    yield from judge_side_effects(
        report,
        {
            "pages_printed": criteria.pages_printed_max,
            "accounts_locked": criteria.accounts_locked_max,
            "restarts": criteria.restarts_max,
            "credentials_shown": criteria.credentials_shown_max,
        },
        none_allowed=criteria.no_side_effects,
    )
    if criteria.peak_packets_per_second_max is not None:
        peak = report.traffic.peak_packets_per_second if report.traffic else None
        yield at_most("peak_packets_per_second_max", criteria.peak_packets_per_second_max, peak)
    if criteria.complete_scan:
        runs = _counted_runs(report)
        complete = all(run.complete and not run.truncated for run in runs) if runs else None
        yield holds("complete_scan", complete, _complete_detail(report))
    if criteria.scope:
        kept = report.scope.kept if report.scope else None
        yield holds("scope", kept, report.scope.detail if report.scope else "nothing is known of the network")


def _failed_logins(report: Report, limit: int) -> CriterionResult:
    known, logs = report.log_counts("failed_logins"), report.logs or {}
    is_partial = report.searched_in_part("failed_logins")
    result = at_most("failed_logins_max", limit, sum(known) if known else None, is_partial=is_partial)
    unknown = sum("failed_logins" in each.not_searched for each in logs.values())
    others = f"; {unknown} more could not be searched for them" if unknown else ""
    others += "; the others' do not show failed logins" if len(known) + unknown < len(logs) else ""
    of = f"in the logs of {len(known)} of {len(logs)} targets{others}"
    return result.model_copy(update={"detail": f"{result.detail} ({of})"}) if known else result


def _complete_detail(report: Report) -> str:
    runs = _counted_runs(report)
    if not runs:
        return "only collectors for comparison ran" if report.collectors else "no collector ran"
    short = [run.collector for run in runs if run.truncated or not run.complete]
    aside = "; those for comparison are left out" if len(runs) < len(report.collectors) else ""
    return (f"not complete: {', '.join(short)}" if short else "every collector is complete") + aside


def _counted_runs(report: Report) -> list[CollectorRun]:
    return [run for run in report.collectors if run.purpose == "discovery"]
