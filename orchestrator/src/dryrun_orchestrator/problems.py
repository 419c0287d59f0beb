"""Renders every error as an RFC 9457 problem."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from dryrun_contract.faults import faults_of
from dryrun_contract.problem import PROBLEM_MEDIA_TYPE, Fault, Problem, problem_type
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, UnknownTemplateError
from dryrun_orchestrator.storage import NotStoredError
from dryrun_orchestrator.supervisor import SessionDiffersError, UnknownSessionError
from dryrun_serving.refusal import RefusedError

log = logging.getLogger(__name__)


def problem_response(
    request: Request, status: int, name: str, title: str, detail: str, faults: tuple[Fault, ...] = ()
) -> JSONResponse:
    """Return a problem as the answer to `request`."""
    problem = Problem(
        type=problem_type(name),
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=request.headers.get("x-request-id"),
        faults=faults,
    )
    return _answer(problem)


def answer_refusal(request: Request, refusal: RefusedError) -> JSONResponse:
    """Return a refusal as the answer to `request`, which a stranger may have sent."""
    return _answer(
        refusal.problem.model_copy(
            update={
                "instance": printable(request.scope["path"]),
                "request_id": printable(request.headers.get("x-request-id") or str(uuid4())),
            }
        ),
        refusal.headers,
    )


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=headers,
    )


def install_problem_handlers(app: FastAPI, record: Callable[[Request, str], Awaitable[None]]) -> None:
    """Make `app` answer every error with a problem; `record` takes what reached no endpoint."""

    def on(kind: type[Exception], status: int, name: str, title: str) -> None:
        async def handle(request: Request, error: Exception) -> Response:
            faults = getattr(error, "faults", ())
            detail = error.heading if isinstance(error, OperatorFileError) else str(error)
            return problem_response(request, status, name, title, detail, tuple(faults))

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
        refused = error.problem if isinstance(error, RefusedError) else _invalid(error)
        await record(request, str(refused.detail))
        if isinstance(error, RefusedError):
            return answer_refusal(request, error)
        said = {"instance": request.url.path, "request_id": request.headers.get("x-request-id")}
        return _answer(refused.model_copy(update=said))

    app.add_exception_handler(RefusedError, refuse_unread)
    app.add_exception_handler(RequestValidationError, refuse_unread)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_any_error)


def _invalid(error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    faults = tuple(Fault(where=place, what=reason) for place, reason in faults_of(error.errors()))
    return Problem(
        type=problem_type("invalid-request"),
        title="Invalid request",
        status=422,
        detail="; ".join(f"{fault.where}: {fault.what}" for fault in faults),
        faults=faults,
    )


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = problem_response(
        request,
        error.status_code,
        f"http-{error.status_code}",
        error.detail,
        f"{request.method} {request.url.path}",
    )
    response.headers.update(error.headers or {})
    return response


async def _on_any_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(
        request, 500, "internal", "Internal error", "the log has the details under this request id"
    )
