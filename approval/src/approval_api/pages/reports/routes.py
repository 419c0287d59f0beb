"""Pages: a session's report, by the one renderer there is, and two reports side by side."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from approval_api.access.permission import Reader
from approval_api.access.turns import give_turn_back
from approval_api.pages.rendering import page
from approval_api.reports.service import Reports

router = APIRouter(prefix="/dryrun", include_in_schema=False)

_OFFERED = 100
EXPECTED = 'id="report-expected"'
"""The part of a report that forecasts a real network; a report of any other template has none."""


@router.get("/sessions/{session_id}/report")
async def show_report_page(session_id: UUID, request: Request, visitor: Reader) -> Response:
    """Show the report, judged by the session's criteria, with what it can be downloaded as."""
    reports: Reports = request.app.state.reports
    give_turn_back(request)
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
