"""Routes: a session's report in four formats, judged by criteria when some are given."""

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from approval_api.authentication import Reader
from approval_api.database.engine import Transaction
from approval_api.reports.criteria import DEFAULT_CRITERIA, Criteria
from approval_api.reports.csv_file import render_csv
from approval_api.reports.forecast import Cidr, ForecastQuestion, HostCount
from approval_api.reports.html import render_html_file
from approval_api.reports.markdown import render
from approval_api.reports.model import Report
from approval_api.reports.service import find_report

router = APIRouter(prefix="/sessions/{session_id}/report", tags=["reports"])
criteria_router = APIRouter(prefix="/criteria", tags=["reports"])

_RENDERERS = {
    "markdown": ("text/markdown", render),
    "html": ("text/html", render_html_file),
    "csv": ("text/csv", render_csv),
}
_HEADERS = {
    # A file that is opened where it lies: it runs nothing, loads nothing and belongs to no origin.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

ReportFormat = Annotated[Literal["json", "markdown", "html", "csv"], Query(alias="format")]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media, _ in _RENDERERS.values()}}
}


async def _question(
    forecast_hosts: Annotated[HostCount | None, Query(description="How many hosts to forecast for")] = None,
    forecast_cidr: Annotated[Cidr | None, Query(description="The network they are in")] = None,
) -> ForecastQuestion:
    return ForecastQuestion(hosts=forecast_hosts, cidr=forecast_cidr)


Question = Annotated[ForecastQuestion, Depends(_question)]


async def _answer(report: Report, report_format: str) -> Report | Response:
    if report_format == "json":
        return report
    media_type, renderer = _RENDERERS[report_format]
    # A report of thousands of things takes its time, in which other requests shall be answered.
    document = await asyncio.to_thread(renderer, report)
    suffix = "md" if report_format == "markdown" else report_format
    name = f'inline; filename="dryrun-{report.template.id}-{str(report.session.id)[:8]}.{suffix}"'
    return Response(document, media_type=media_type, headers={**_HEADERS, "Content-Disposition": name})


@router.get("", response_model=Report, responses=_ANSWERS)
async def show_report(
    session_id: UUID,
    _: Reader,
    transaction: Transaction,
    question: Question,
    report_format: ReportFormat = "json",
    *,
    judged: Annotated[bool, Query(description="Judge by the default criteria")] = False,
) -> Report | Response:
    """Show the report, without a verdict unless asked. Before the session's end it says it is not final."""
    criteria = DEFAULT_CRITERIA if judged else None
    return await _answer(await find_report(transaction, session_id, criteria, question), report_format)


@router.post("", response_model=Report, responses=_ANSWERS)
async def judge_report(
    session_id: UUID,
    _: Reader,
    transaction: Transaction,
    criteria: Criteria,
    question: Question,
    report_format: ReportFormat = "json",
) -> Report | Response:
    """Show the report with a verdict by the criteria given. Nothing is stored."""
    return await _answer(await find_report(transaction, session_id, criteria, question), report_format)


@criteria_router.get("")
async def show_default_criteria(_: Reader) -> Criteria:
    """Show the criteria that clients use when they have none of their own."""
    return DEFAULT_CRITERIA
