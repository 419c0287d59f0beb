"""Routes: a session's report, judged by criteria when some are given."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.authentication import Reader
from approval_api.database.engine import Transaction
from approval_api.events.repository import all_of
from approval_api.reports.build import build
from approval_api.reports.criteria import DEFAULT_CRITERIA, Criteria, judge
from approval_api.reports.markdown import render
from approval_api.reports.model import Report
from approval_api.sessions import repository
from approval_api.sessions.service import unknown_session

router = APIRouter(prefix="/sessions/{session_id}/report", tags=["reports"])
criteria_router = APIRouter(prefix="/criteria", tags=["reports"])

_MARKDOWN = "text/markdown"

ReportFormat = Annotated[Literal["json", "markdown"], Query(alias="format")]
_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"content": {_MARKDOWN: {"schema": {"type": "string"}}}}}


async def _report(connection: AsyncConnection, session_id: UUID) -> Report:
    stored = await repository.find_stored(connection, session_id)
    if stored is None:
        raise unknown_session(session_id)
    return await build(stored, all_of(connection, session_id))


def _answer(report: Report, report_format: str) -> Report | Response:
    if report_format == "markdown":
        return Response(render(report), media_type=_MARKDOWN)
    return report


@router.get("", response_model=Report, responses=_ANSWERS)
async def show_report(
    session_id: UUID, _: Reader, transaction: Transaction, report_format: ReportFormat = "json"
) -> Report | Response:
    """Show the report, without a verdict. Before the session's end it says that it is not final."""
    return _answer(await _report(transaction, session_id), report_format)


@router.post("", response_model=Report, responses=_ANSWERS)
async def judge_report(
    session_id: UUID,
    _: Reader,
    transaction: Transaction,
    criteria: Criteria,
    report_format: ReportFormat = "json",
) -> Report | Response:
    """Show the report with a verdict by the criteria given. Nothing is stored."""
    report = await _report(transaction, session_id)
    judged = report.model_copy(update={"verdict": judge(report, criteria)})
    return _answer(judged, report_format)


@criteria_router.get("")
async def show_default_criteria(_: Reader) -> Criteria:
    """Show the criteria that clients use when they have none of their own."""
    return DEFAULT_CRITERIA
