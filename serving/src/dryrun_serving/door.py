"""What is judged of every request before it is routed: its head, then whatever the service asks of it.

Nothing here reads a body or keeps what a client chose.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dryrun_serving.refusal import CLOSE, Answer, RefusedError

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"})
"""Others are answered 501 (RFC 9110, section 9.1). TRACE and QUERY are known, and no route takes them."""
MAX_TARGET_BYTES = 8 * 1024
MAX_HEADERS = 100

type Admitted = Callable[[Request], AbstractAsyncContextManager[None]]
"""Entered before anything else sees a request, left after its answer. Raises RefusedError on entry."""


class Door:
    """ASGI middleware: refuses before anything else looks at the request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        admitted: Admitted,
        answer: Answer,
        methods: frozenset[str] = METHODS,
        method_status: int = 501,
    ) -> None:
        """Wrap `app`.

        `admitted` decides who may do what, `answer` renders a refusal, and methods outside of `methods` are
        answered `method_status`.
        """
        self._app = app
        self._admitted = admitted
        self._answer = answer
        self._methods = methods
        self._method_status = method_status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            self._require_method(scope["method"])
            _require_sizes(scope)
            async with self._admitted(request):
                await self._app(scope, receive, send)
        except RefusedError as refusal:
            await self._answer(request, refusal)(scope, receive, send)

    def _require_method(self, method: str) -> None:
        if method in self._methods:
            return
        known = ", ".join(sorted(self._methods))
        raise RefusedError(
            "method-not-implemented",
            self._method_status,
            f"this service knows the methods {known}",
            headers={"Allow": known, **CLOSE},
        )


def _require_sizes(scope: Scope) -> None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET_BYTES:
        raise RefusedError(
            "target-too-long",
            414,
            f"path and query have at most {MAX_TARGET_BYTES} bytes together",
            headers=CLOSE,
        )
    if len(scope["headers"]) > MAX_HEADERS:
        raise RefusedError(
            "too-many-headers", 431, f"a request has at most {MAX_HEADERS} headers", headers=CLOSE
        )
