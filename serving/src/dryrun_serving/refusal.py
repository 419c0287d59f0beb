"""A request that is refused, as a problem of RFC 9457; the service renders it."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp

from dryrun_contract.problem import Fault, Problem, problem_type

CLOSE = {"Connection": "close"}
"""Headers of a refusal after which the connection is of no more use."""


class RefusedError(HTTPException):
    """An error that is answered as it stands.

    An `HTTPException`, because FastAPI turns any other error that a body's reading raises into a 400.
    """

    def __init__(
        self,
        name: str,
        status: int,
        detail: str,
        *,
        title: str | None = None,
        faults: tuple[Fault, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        """Make the problem `urn:dryrun:problem:{name}`; `detail` says what to do next."""
        super().__init__(status, detail, headers)
        self.problem = Problem(
            type=problem_type(name),
            title=title or HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            faults=faults,
        )


type Answer = Callable[[Request, RefusedError], ASGIApp]
"""Returns the answer to a request that is refused."""
