"""Renders every error as an RFC 9457 problem."""

import logging
from collections.abc import Awaitable, Callable
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from dryrun_contract.faults import faults_of
from dryrun_contract.problem import PROBLEM_MEDIA_TYPE, Fault
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, UnknownTemplateError
from dryrun_orchestrator.running.supervisor import SessionDiffersError, UnknownSessionError
from dryrun_orchestrator.storage import NotStoredError
from dryrun_serving.refusal import RefusedError

log = logging.getLogger(__name__)


def request_id_of(request: Request) -> str:
    """Return the id of a request in its answer, the log and the audit: its sender's, or one made here."""
    if "request_id" not in request.scope:
        request.scope["request_id"] = printable(request.headers.get("x-request-id") or str(uuid4()))
    found: str = request.scope["request_id"]
    return found


def answer_refusal(request: Request, refusal: RefusedError) -> JSONResponse:
    """Return a refusal as the answer to `request`, which a stranger may have sent."""
    problem = refusal.problem.model_copy(
        update={
            "instance": printable(request.scope["path"]),
            "request_id": request_id_of(request),
        }
    )
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=refusal.headers,
    )


def install_problem_handlers(app: FastAPI, record: Callable[[Request, str], Awaitable[None]]) -> None:
    """Make `app` answer every error with a problem; `record` takes what reached no endpoint."""

    def on(kind: type[Exception], status: int, name: str, title: str) -> None:
        async def handle(request: Request, error: Exception) -> Response:
            faults = getattr(error, "faults", ())
            detail = error.heading if isinstance(error, OperatorFileError) else str(error)
            refusal = RefusedError(name, status, detail, title=title, faults=tuple(faults))
            return answer_refusal(request, refusal)

        app.add_exception_handler(kind, handle)

    on(UnknownTemplateError, 404, "unknown-template", "Unknown template")
    on(TemplateInvalidError, 422, "template-invalid", "The template's file is invalid")
    on(ScanChoiceError, 422, "invalid-scan", "The collectors, profile or rate cannot be chosen")
    on(UnknownSessionError, 404, "unknown-session", "Unknown session")
    on(
        SessionDiffersError,
        409,
        "session-differs",
        "A session with this id already exists with different parameters",
    )
    # Not 503, which a client takes for a refusal: the same request again succeeds once there is space.
    on(NotStoredError, 507, "not-stored", "It cannot be stored")

    async def refuse_unread(request: Request, error: Exception) -> Response:
        refusal = error if isinstance(error, RefusedError) else _invalid(error)
        await record(request, str(refusal.problem.detail))
        return answer_refusal(request, refusal)

    app.add_exception_handler(RefusedError, refuse_unread)
    app.add_exception_handler(RequestValidationError, refuse_unread)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_any_error)


def _invalid(error: Exception) -> RefusedError:
    assert isinstance(error, RequestValidationError)
    faults = tuple(Fault(where=place, what=reason) for place, reason in faults_of(error.errors()))
    detail = "; ".join(f"{fault.where}: {fault.what}" for fault in faults)
    return RefusedError("invalid-request", 422, detail, title="Invalid request", faults=faults)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = RefusedError(
        f"http-{error.status_code}",
        error.status_code,
        f"{request.method} {request.url.path}",
        title=error.detail,
        headers=dict(error.headers or {}),
    )
    return answer_refusal(request, refusal)


async def _on_any_error(request: Request, error: Exception) -> Response:
    failed = (request.method, request.url.path, request_id_of(request))
    log.error("%s %s failed, request %s", *failed, exc_info=error)
    why = "the log has the details under this request id"
    return answer_refusal(request, RefusedError("internal", 500, why, title="Internal error"))
