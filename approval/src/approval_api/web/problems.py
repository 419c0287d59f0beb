"""Every error is answered as a problem of RFC 9457; this is the one place that makes them."""

import logging
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from approval_api.database.errors import DRIVER_ERRORS, is_data_exception
from approval_api.database.readable import UnreadableError
from dryrun_contract.faults import faults_of
from dryrun_contract.problem import PROBLEM_MEDIA_TYPE, Fault, Problem
from dryrun_contract.text import printable
from dryrun_serving.refusal import RefusedError

logger = logging.getLogger(__name__)

type AnswerBrowser = Callable[[Request, Problem, Mapping[str, str] | None], Response | None]
"""`app.state.answer_browser`: returns a problem as a page for people, None for programs."""

_MAY_HEAL = frozenset({429, 502, 503, 504})
MAX_FAULTS = 50
"""The most faults that one answer lists."""


class ProblemError(RefusedError):
    """An error that is answered as it stands."""

    @property
    def may_heal(self) -> bool:
        """Whether the same request may succeed later: too much to do, or another service is away."""
        return self.problem.status in _MAY_HEAL


def unknown(noun: str, which: object, listed_at: str) -> ProblemError:
    """Return the 404 problem of a thing that there is not; GET `listed_at` lists those that there are."""
    return ProblemError(
        f"unknown-{noun}",
        404,
        f"there is no {noun} {which}; GET {listed_at} lists them",
        title=f"Unknown {noun}",
    )


def too_many(noun: str, held: str, status: int = 429) -> ProblemError:
    """Return the problem of one more `noun` than there may be; `held` says who has how many."""
    return ProblemError(
        f"too-many-{noun}",
        status,
        f"{held}, which is the limit; remove one first",
        title=f"Too many {noun}",
    )


def too_many_at_once(
    why: str = "your other requests have to be answered first; try again in a moment", status: int = 429
) -> ProblemError:
    """Return the problem of a request that has to wait: by default, for others of the same person."""
    return ProblemError(
        "too-many-requests", status, why, title="Too many requests at once", headers={"Retry-After": "2"}
    )


def answer_refusal(request: Request, refusal: RefusedError) -> Response:
    """Return its problem, completed with the request's path and id, as the answer; a browser gets a page."""
    request.scope["problem"] = problem = refusal.problem
    completed = problem.model_copy(
        update={"instance": request.url.path, "request_id": request.scope.get("request_id")}
    )
    answer_browser: AnswerBrowser | None = (
        getattr(request.app.state, "answer_browser", None) if "app" in request.scope else None
    )
    shown = answer_browser(request, completed, refusal.headers) if answer_browser is not None else None
    if shown is not None:
        return shown
    return Response(
        completed.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=refusal.headers,
    )


_DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, OSError, TimeoutError, *DRIVER_ERRORS)


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return answer_refusal(request, error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # FastAPI makes a 400 of whatever is raised while a body is read, and before that its sender is looked up.
    if isinstance(error.__cause__, _DATABASE_ERRORS):
        return await _answer_database_error(request, error.__cause__)
    names = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}
    details = {
        404: f"there is nothing at {printable(request.url.path)}; /openapi.json lists the routes",
        405: f"{printable(request.url.path)} does not allow {request.method}; see the Allow header",
    }
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    name = names.get(error.status_code, "http-error")
    detail = details.get(error.status_code, str(error.detail))
    return answer_refusal(request, ProblemError(name, error.status_code, detail, headers=headers))


def _methods_at(request: Request) -> set[str]:
    """Return the methods of all routes at this path; Starlette's own answer only names the first route's."""
    return {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.path_regex is not None and route.path_regex.match(request.url.path)
        for method in route.methods or ()
    }


async def _answer_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    all_faults = faults_of(error.errors())
    count = "1 fault" if len(all_faults) == 1 else f"{len(all_faults)} faults"
    faults = tuple(
        Fault(where=printable(place), what=printable(reason)) for place, reason in all_faults[:MAX_FAULTS]
    )
    detail = f"{count} in the request; see `faults`"
    problem = ProblemError("invalid-request", 422, detail, title="The request is not valid", faults=faults)
    return answer_refusal(request, problem)


async def _answer_unstorable(request: Request, error: DBAPIError) -> Response:
    logger.warning(
        "a request contains a value that the database cannot store", extra={"reason": str(error.orig)}
    )
    why = "a value in the request cannot be stored: text with U+0000, or a number out of range"
    problem = ProblemError("unstorable-value", 422, why, title="The request is not valid")
    return answer_refusal(request, problem)


async def _answer_database_error(request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and is_data_exception(error.orig):
        return await _answer_unstorable(request, error)
    logger.error("the database failed during a request", exc_info=error)
    problem = ProblemError(
        "database-unavailable",
        503,
        "the database failed or took too long; nothing was changed. Try again in a moment",
        title="The database does not answer",
        headers={"Retry-After": "2"},
    )
    return answer_refusal(request, problem)


async def _answer_unreadable(request: Request, error: Exception) -> Response:
    logger.warning("a request met what another version stored", extra={"reason": str(error)})
    why = f"{error}. Use the version that stored it, or remove it and make it again"
    return answer_refusal(request, ProblemError("unreadable", 503, why, title="Of another version"))


async def _answer_unexpected_error(request: Request, error: Exception) -> Response:
    logger.error("a request failed unexpectedly", exc_info=error)
    why = "something failed that should not; the service's log has the details under this request_id"
    return answer_refusal(request, ProblemError("internal-error", 500, why, title="Internal error"))


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of `app` as a problem, unknown routes and invalid requests included."""
    app.add_exception_handler(RefusedError, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    for database_error in _DATABASE_ERRORS:
        app.add_exception_handler(database_error, _answer_database_error)
    app.add_exception_handler(UnreadableError, _answer_unreadable)
    app.add_exception_handler(Exception, _answer_unexpected_error)
