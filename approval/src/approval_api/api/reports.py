"""Routes: a session's report in four formats, judged by criteria when some are given."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from approval_api.access.large_answers import ReportTurn, SentDocument
from approval_api.access.permission import Reader
from approval_api.reports.criteria import DEFAULT_CRITERIA, Criteria
from approval_api.reports.forecast import Cidr, ForecastQuestion, HostCount
from approval_api.reports.service import Reports
from approval_api.web.problems import ProblemError
from dryrun_contract.problem import Fault
from dryrun_contract.report import Report

router = APIRouter(prefix="/sessions/{session_id}/report", tags=["reports"])
criteria_router = APIRouter(prefix="/criteria", tags=["reports"])

type _Form = Literal["json", "markdown", "html", "csv"]

_MEDIA = {"markdown": "text/markdown", "html": "text/html", "csv": "text/csv"}
_HEADERS = {
    # For a saved file: it runs nothing, loads nothing and has no origin.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

ReportFormat = Annotated[_Form, Query(alias="format")]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in _MEDIA.values()}}
}


async def _question(
    forecast_hosts: Annotated[HostCount | None, Query(description="How many hosts to forecast for")] = None,
    forecast_cidr: Annotated[Cidr | None, Query(description="The network they are in")] = None,
) -> ForecastQuestion:
    try:
        return ForecastQuestion(hosts=forecast_hosts, cidr=forecast_cidr)
    except ValidationError as error:
        why = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        fault = Fault(where="query.forecast_hosts", what="more than the network has addresses")
        raise ProblemError(
            "invalid-request", 422, why, title="The request is not valid", faults=(fault,)
        ) from None


Question = Annotated[ForecastQuestion, Depends(_question)]


async def _answer(
    request: Request,
    session_id: UUID,
    form: _Form,
    criteria: Criteria | None,
    question: ForecastQuestion,
) -> Response:
    reports: Reports = request.app.state.reports
    asked = question if question != ForecastQuestion() else None
    session, document = await reports.write(session_id, form, criteria, asked)
    if form == "json":
        return SentDocument(request, document, "application/json")
    suffix = "md" if form == "markdown" else form
    name = f'inline; filename="dryrun-{session.template}-{str(session.id)[:8]}.{suffix}"'
    headers = {**_HEADERS, "Content-Disposition": name}
    return SentDocument(request, document, _MEDIA[form], headers)


@router.get("", response_model=Report, responses=_ANSWERS)
async def show_report(
    session_id: UUID,
    request: Request,
    _: Reader,
    _turn: ReportTurn,
    question: Question,
    report_format: ReportFormat = "json",
    *,
    judged: Annotated[bool, Query(description="Judge by the default criteria")] = False,
) -> Response:
    """Show the report, with a verdict only on request. Before the session's end it is marked as not final."""
    criteria = DEFAULT_CRITERIA if judged else None
    return await _answer(request, session_id, report_format, criteria, question)


@router.post("", response_model=Report, responses=_ANSWERS)
async def judge_report(
    session_id: UUID,
    request: Request,
    _: Reader,
    _turn: ReportTurn,
    criteria: Criteria,
    question: Question,
    report_format: ReportFormat = "json",
) -> Response:
    """Show the report with a verdict by the criteria given. The verdict is not stored."""
    return await _answer(request, session_id, report_format, criteria, question)


@criteria_router.get("")
async def show_default_criteria(_: Reader) -> Criteria:
    """Show the criteria that clients use when they have none of their own."""
    return DEFAULT_CRITERIA
