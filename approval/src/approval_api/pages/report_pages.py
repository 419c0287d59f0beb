"""Pages: a session's report, by the one renderer there is, and two reports side by side."""

import asyncio
from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.authentication import Reader
from approval_api.database.engine import Transaction
from approval_api.pages.comparison import compare
from approval_api.pages.rendering import page
from approval_api.reports.criteria import DEFAULT_CRITERIA
from approval_api.reports.html import render_html_fragment
from approval_api.reports.service import find_report
from approval_api.sessions import repository
from approval_api.sessions.schemas import SessionView

router = APIRouter(prefix="/dryrun", include_in_schema=False)

_OFFERED = 100


@router.get("/sessions/{session_id}/report")
async def show_report_page(
    session_id: UUID, request: Request, visitor: Reader, transaction: Transaction
) -> Response:
    """Show the report, judged by the default criteria, with what it can be downloaded as."""
    report = await find_report(transaction, session_id, DEFAULT_CRITERIA)
    # A report of thousands of things takes its time, in which event streams shall go on.
    fragment = await asyncio.to_thread(render_html_fragment, report)
    return page(request, "report.html", visitor, report=report, session=report.session, fragment=fragment)


@router.get("/compare")
async def show_comparison(
    request: Request, visitor: Reader, transaction: Transaction, a: str = "", b: str = ""
) -> Response:
    """Show what differs between two sessions; without two, let them be chosen."""
    offered = [
        session for session in await repository.page(transaction, _OFFERED, None) if session.phase == "ended"
    ]
    chosen = [_uuid(text) for text in (a, b)]
    before, after = chosen
    if before is None and after is not None:
        before = _earlier(offered, after)
    comparison = None
    if before is not None and after is not None:
        reports = [await find_report(transaction, session_id) for session_id in (before, after)]
        comparison = await asyncio.to_thread(compare, *reports)
    return page(
        request,
        "compare.html",
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
