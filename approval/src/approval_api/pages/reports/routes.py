"""Pages: a session's report, by the one renderer there is, and two reports side by side."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from approval_api.access.large_answers import ReportTurn
from approval_api.access.permission import Reader
from approval_api.pages.rendering import page
from approval_api.reports.service import Reports
from approval_api.sessions import repository
from dryrun_contract.session import SessionView

router = APIRouter(prefix="/dryrun", include_in_schema=False)

_OFFERED = 100
EXPECTED = 'id="report-expected"'
"""The part of a report that forecasts a real network; a report of any other template has none."""


@router.get("/sessions/{session_id}/report")
async def show_report_page(session_id: UUID, request: Request, visitor: Reader) -> Response:
    """Show the report, judged by the session's criteria, with what it can be downloaded as."""
    reports: Reports = request.app.state.reports
    session, html = await reports.fragment(session_id)
    fragment = Markup(html)  # noqa: S704 - made by templates that escape
    final = session.phase == "ended"
    signed = final and request.app.state.report_key is not None
    return page(
        request,
        "reports/report.html",
        visitor,
        final=final,
        signed=signed,
        session=session,
        fragment=fragment,
        forecast=EXPECTED in html,
    )


@router.get("/compare")
async def show_comparison(
    request: Request, visitor: Reader, _turn: ReportTurn, a: str = "", b: str = ""
) -> Response:
    """Show what differs between two sessions; without two, let them be chosen."""
    state = request.app.state
    async with state.engine.connect() as connection:
        latest = await repository.page(connection, _OFFERED, None)
    offered = [session for session in latest if session.phase == "ended"]
    chosen = [_uuid(text) for text in (a, b)]
    before, after = chosen
    if before is None and after is not None:
        before = _earlier(offered, after)
    reports: Reports = state.reports
    comparison = None
    if before is not None and after is not None:
        comparison = await reports.compare(before, after)
    return page(
        request,
        "reports/compare.html",
        visitor,
        offered=offered,
        before=str(before or ""),
        after=str(after or ""),
        comparison=comparison,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _earlier(offered: list[SessionView], after: UUID) -> UUID | None:
    """Return the session before `after` of the same template: what a change is measured against."""
    later = next((session for session in offered if session.id == after), None)
    if later is None:
        return None
    return next(
        (
            session.id
            for session in offered
            if session.template == later.template and session.requested_at < later.requested_at
        ),
        None,
    )
