"""Compares two sessions, as an experiment of two arms that ran once each."""

from uuid import UUID

from approval_api.computing.worker_process import WorkFailedError
from approval_api.experiments.calculations import Calculations, WithoutScores
from approval_api.reports.service import Reports
from approval_api.web.problems import ProblemError
from dryrun_contract.experiment_results import ExperimentResults

NO_SCORES = "no-scores"


async def compare(
    reports: Reports, calculations: Calculations, baseline: UUID, session: UUID
) -> ExperimentResults:
    """Return two sessions as an experiment of two arms, named by their ids.

    Raises a problem: 404, 409 when one has no scores, 503 when there is too much to do.
    """
    written = [await reports.write(each, "json") for each in (baseline, session)]
    try:
        compared = await calculations.compare([report for _, report in written])
    except WorkFailedError as error:
        raise ProblemError(
            "not-comparable", 503, f"the sessions could not be compared: {error}", title="Not comparable"
        ) from error
    if isinstance(compared, list):
        running = {view.id for view, _ in written if view.phase != "ended"}
        raise ProblemError(NO_SCORES, 409, _why_not_comparable(compared, running), title="No scores")
    return compared


def _why_not_comparable(without: WithoutScores, running: set[UUID]) -> str:
    """Return which sessions have no scores, why, and what to do."""
    reasons = dict(without)
    faults = [
        f"Session {str(each)[:8]} has not ended yet, and has no scores"
        if each in running
        else f"Session {str(each)[:8]} has no scores: {reason}"
        for each, reason in reasons.items()
    ]
    another, it = ("another", "it") if len(reasons) == 1 else ("others", "them")
    later = f", or compare {it} later" if reasons.keys() & running else ""
    return ". ".join([*faults, f"Choose {another}{later}"])
