"""Page: two sessions side by side, as an experiment of two arms that ran once each."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ReportTurn
from approval_api.access.permission import Reader
from approval_api.experiments.comparison import NO_SCORES, compare
from approval_api.pages.experiments.view import drawn
from approval_api.pages.rendering import page
from approval_api.reports import listed
from approval_api.reports.listed import ListedSession
from approval_api.sessions import service as sessions
from approval_api.web.problems import ProblemError
from dryrun_contract.problem import problem_type
from dryrun_contract.session import SessionView

router = APIRouter(prefix="/dryrun/compare", include_in_schema=False)

_OFFERED = 100


@router.get("")
async def show_comparison(
    request: Request, visitor: Reader, _turn: ReportTurn, a: str = "", b: str = ""
) -> Response:
    """Show what differs between two sessions; without two, let them be chosen.

    Raises a 404 problem for a session that does not exist.
    """
    state = request.app.state
    before, after = _uuid(a), _uuid(b)
    async with state.engine.connect() as connection:
        latest = await listed.page(connection, _OFFERED, None)
        ended = [each for each in latest.sessions if each.phase == "ended"]
        known = {each.id for each in ended}
        requested = {each for each in (before, after) if each is not None and each not in known}
        others = [await sessions.require(connection, each) for each in requested]
    offered = [*ended, *sorted(others, key=lambda each: each.requested_at, reverse=True)]
    scored = [each for each in ended if each.figures is not None and each.figures.recall is not None]
    is_requested = after is not None
    if after is None and before is None:
        after = next((each.id for each in scored if _earlier(scored, each)), None)
    if before is None:
        later = next((each for each in offered if each.id == after), None)
        before = _earlier(scored, later) if later is not None else None
    results, missing = None, ""
    if is_requested and before is None:
        missing = "No earlier session of this template has scores; choose one to compare with"
    if is_requested and before is not None and after is not None:
        try:
            compared = await compare(state.reports, state.calculations, before, after)
            results = compared.with_short_names()
        except ProblemError as error:
            if error.problem.type != problem_type(NO_SCORES):
                raise
            missing = error.problem.detail
    return page(
        request,
        "experiments/compare.html",
        visitor,
        offered=offered,
        before=str(before or ""),
        after=str(after or ""),
        results=results,
        drawn=None if results is None else drawn(results),
        missing=missing,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _earlier(scored: list[ListedSession], later: SessionView) -> UUID | None:
    """Return the scored session before `later` of its template: what a change is measured against."""
    return next(
        (
            session.id
            for session in scored
            if session.template == later.template and session.requested_at < later.requested_at
        ),
        None,
    )
