"""Criteria about what a scan did to its targets beyond their death."""

from collections.abc import Iterator, Mapping

from approval_api.reports.criterion_results import at_most, unmeasured
from dryrun_contract.event import SideEffect
from dryrun_contract.report import CriterionResult, Report
from dryrun_contract.side_effects import SideEffectTotal, side_effect_totals


def judge_side_effects(
    report: Report, limits: Mapping[SideEffect, int | None], *, none_allowed: bool
) -> Iterator[CriterionResult]:
    """Yield the result of each limit that is set, and of the rule that nothing at all may happen."""
    totals = {total.name: total for total in side_effect_totals(report.logs)}
    for name, limit in limits.items():
        if limit is not None:
            yield _limited(f"{name}_max", limit, totals.get(name))
    if none_allowed and report.logs is None:
        # Which targets can suffer what is known from their logs only.
        yield unmeasured("no_side_effects", limit=True)
    elif none_allowed and totals:
        yield _none(tuple(totals.values()))


def _limited(criterion: str, limit: int, total: SideEffectTotal | None) -> CriterionResult:
    if total is None:
        return unmeasured(criterion, limit)
    return at_most(criterion, limit, total.count, is_partial=total.at_least)


def _none(totals: tuple[SideEffectTotal, ...]) -> CriterionResult:
    happened = [f"{total.count:,} {_words(total)}" for total in totals if total.count]
    unknown = [_words(total) for total in totals if not total.count and not total.none]
    parts = [", ".join(happened)] if happened else []
    parts += [f"not known: {', '.join(unknown)}"] if unknown else []
    none = not happened and not unknown
    return CriterionResult(
        criterion="no_side_effects",
        status="passed" if none else "failed" if happened else "not_measured",
        limit=True,
        measured=none if none or happened else None,
        detail="; ".join(parts) or f"no {', no '.join(map(_words, totals))}",
    )


def _words(total: SideEffectTotal) -> str:
    return total.name.replace("_", " ")
