"""The limits that a criterion can have, and its result: a figure beside its limit."""

from typing import Annotated

from pydantic import Field

from dryrun_contract.report import CriterionResult

type Share = Annotated[float, Field(ge=0, le=1)]
type Count = Annotated[int, Field(ge=0)]


def at_least(criterion: str, limit: float, measured: float | None, aside: str) -> CriterionResult:
    """Return the result of a figure with a lower bound; `aside` ends its words."""
    if measured is None:
        return unmeasured(criterion, limit)
    passed = measured >= limit
    # Never rounded to the other side of its limit.
    shown = f"{measured:.3f}" if (round(measured, 3) >= limit) is passed else f"{measured:.6f}"
    return CriterionResult(
        criterion=criterion,
        status="passed" if passed else "failed",
        limit=limit,
        measured=measured,
        detail=f"{shown}, at least {limit:g} required{aside}",
    )


def at_most(
    criterion: str, limit: float, measured: float | None, *, is_partial: bool = False
) -> CriterionResult:
    """Return the result of a figure with an upper bound.

    `is_partial`: it comes from logs that were not searched to their end, which may hold more. Then nobody
    knows whether the limit was kept.
    """
    if measured is None:
        return unmeasured(criterion, limit)
    if is_partial and measured <= limit:
        detail = f"at least {measured:,.10g}: a log was not searched to its end"
        return unmeasured(criterion, limit).model_copy(update={"measured": measured, "detail": detail})
    return CriterionResult(
        criterion=criterion,
        status="passed" if measured <= limit else "failed",
        limit=limit,
        measured=measured,
        detail=f"{measured:,.10g}, at most {limit:,.10g} allowed",
    )


def holds(criterion: str, measured: bool | None, detail: str) -> CriterionResult:
    """Return the result of something that has to be so; None: nothing measured it, so it did not pass."""
    return CriterionResult(
        criterion=criterion,
        status="not_measured" if measured is None else "passed" if measured else "failed",
        limit=True,
        measured=measured,
        detail=detail,
    )


def unmeasured(criterion: str, limit: float) -> CriterionResult:
    """Return the result of a figure that nothing measured: it did not pass."""
    return CriterionResult(
        criterion=criterion,
        status="not_measured",
        limit=limit,
        measured=None,
        detail="not measured, so it did not pass",
    )
