"""Whether a report passed its criteria, criterion by criterion."""

from typing import Literal

from dryrun_contract.base import Word

type CriterionStatus = Literal["passed", "failed", "not_measured"]


class CriterionResult(Word):
    """One criterion. What could not be measured did not pass."""

    criterion: str
    status: CriterionStatus
    limit: float | bool
    measured: float | bool | None
    detail: str


class Verdict(Word):
    """Passed only when every criterion did."""

    passed: bool
    results: tuple[CriterionResult, ...]
