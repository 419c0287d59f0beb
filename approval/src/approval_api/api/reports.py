"""Routes: a session's report in several formats, judged by criteria when some are given."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from approval_api.access.large_answers import ReportTurn, SentDocument
from approval_api.access.permission import Reader
from approval_api.identity.report_key import ReportKey
from approval_api.reports.criteria import Criteria
from approval_api.reports.forecast import Cidr, ForecastQuestion, HostCount
from approval_api.reports.service import Judge, Reports
from approval_api.reports.signing import sign_documents
from approval_api.web.problems import ProblemError
from dryrun_contract.fault_words import in_words
from dryrun_contract.problem import Fault
from dryrun_contract.report import Report
from dryrun_contract.session import SessionView

router = APIRouter(prefix="/sessions/{session_id}/report", tags=["reports"])

type _Form = Literal["json", "markdown", "html", "csv", "jira", "servicenow", "signed"]

_ZIP = "application/zip"
_MEDIA = {
    "markdown": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "jira": "text/plain",
    "servicenow": "text/plain",
}
_SUFFIXES = {"markdown": "md", "jira": "jira.txt", "servicenow": "servicenow.txt"}
_HEADERS = {
    # For a saved file: it runs nothing, loads nothing and has no origin.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

ReportFormat = Annotated[_Form, Query(alias="format")]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in (*_MEDIA.values(), _ZIP)}}
}


async def _question(
    forecast_hosts: Annotated[HostCount | None, Query(description="How many hosts to forecast for")] = None,
    forecast_cidr: Annotated[Cidr | None, Query(description="The network they are in")] = None,
) -> ForecastQuestion:
    try:
        return ForecastQuestion(hosts=forecast_hosts, cidr=forecast_cidr)
    except ValidationError as error:
        why = in_words(error.errors(include_url=False)[0])
        fault = Fault(where="query.forecast_hosts", what="more than the network has addresses")
        raise ProblemError(
            "invalid-request", 422, why, title="The request is not valid", faults=(fault,)
        ) from None


Question = Annotated[ForecastQuestion, Depends(_question)]


async def _answer(
    request: Request,
    session_id: UUID,
    form: _Form,
    criteria: Judge,
    question: ForecastQuestion,
) -> Response:
    reports: Reports = request.app.state.reports
    asked = question if question != ForecastQuestion() else None
    if form == "signed":
        return await _signed(request, session_id, criteria, asked)
    session, document = await reports.write(session_id, form, criteria, asked)
    if form == "json":
        return SentDocument(request, document, "application/json")
    suffix = _SUFFIXES.get(form, form)
    name = f'inline; filename="{_file_name(session)}.{suffix}"'
    headers = {**_HEADERS, "Content-Disposition": name}
    return SentDocument(request, document, _MEDIA[form], headers)


async def _signed(
    request: Request, session_id: UUID, criteria: Judge, question: ForecastQuestion | None
) -> Response:
    """Return the final report as a page and as data, each with its signature, in a ZIP."""
    key: ReportKey | None = request.app.state.report_key
    if key is None:
        why = "this service has no key to sign with; its operator sets APPROVAL_REPORT_KEY_FILE"
        raise ProblemError("no-report-key", 501, why, title="Reports are not signed here")
    reports: Reports = request.app.state.reports
    session, (page, data) = await reports.write_each(session_id, ("html", "json"), criteria, question)
    if session.phase != "ended":
        why = "the session still runs and its figures may change; ask again when it has ended"
        raise ProblemError("report-not-final", 409, why, title="The report is not final")
    made = session.ended_at or session.requested_at
    archive = await sign_documents(key, {"report.html": page, "report.json": data}, made)
    name = f'attachment; filename="{_file_name(session)}-signed.zip"'
    headers = {**_HEADERS, "Content-Disposition": name}
    return SentDocument(request, archive, _ZIP, headers, as_it_is=True)


def _file_name(session: SessionView) -> str:
    return f"dryrun-{session.template}-{str(session.id)[:8]}"


@router.get("", response_model=Report, responses=_ANSWERS)
async def show_report(
    session_id: UUID,
    request: Request,
    _: Reader,
    _turn: ReportTurn,
    question: Question,
    report_format: ReportFormat = "json",
    *,
    judged: Annotated[bool, Query(description="Judge by the session's own criteria")] = False,
) -> Response:
    """Show the report, with a verdict only on request. Before the session's end it is marked as not final."""
    return await _answer(request, session_id, report_format, "own" if judged else None, question)


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
