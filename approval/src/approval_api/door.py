"""What is judged of every request before it is routed: method, size of its head, and how often who asks.

Nothing here reads a body, asks the database or makes a label or a line of what a client chose.
"""

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from approval_api.audit.entry import address_of
from approval_api.authentication import credential_of, showed_what_is_known, shows_something
from approval_api.ceiling import Ceiling
from approval_api.networks import network_of
from approval_api.problems import ProblemError, problem_response
from approval_api.rate_limit import (
    RateLimit,
    bucket_of_address,
    require_patience,
    require_turn_of_address,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"})
"""Others are answered 501 (RFC 9110, section 9.1). TRACE and QUERY are known, and no route takes them."""
MAX_TARGET_BYTES = 8 * 1024
MAX_HEADERS = 100
PROBED = frozenset({"/livez", "/readyz", "/metrics"})
"""What monitoring asks for: counted apart, so that others at its address cannot use up its turns."""


class Door:
    """ASGI middleware: refuses before anything else looks at the request."""

    def __init__(self, app: ASGIApp, requests: Ceiling) -> None:
        """Wrap `app`; `requests` bounds how many are served at once.

        Connections are bounded already. Behind a proxy they are the proxy's: there this counts, by the
        address that the proxy tells.
        """
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        network = network_of(address_of(request))
        try:
            self._require_form(request)
            self._require_place(network)
            with self._requests.place(network):
                await _require_turn(request)
                try:
                    await self._app(scope, receive, send)
                finally:
                    if "counted" not in scope:
                        # Nobody asked who this is: a route that is open, or that does not exist.
                        limit: RateLimit = request.app.state.rate_limit
                        limit.wait(bucket_of_address(request))
        except ProblemError as error:
            await problem_response(request, error.problem, error.headers)(scope, receive, send)

    @staticmethod
    def _require_form(request: Request) -> None:
        scope = request.scope
        if scope["method"] not in METHODS:
            raise ProblemError(
                "method-not-implemented",
                501,
                f"this service knows the methods {', '.join(sorted(METHODS))}",
                headers={"Connection": "close"},
            )
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET_BYTES:
            raise ProblemError(
                "target-too-long",
                414,
                f"path and query have at most {MAX_TARGET_BYTES} bytes together",
                headers={"Connection": "close"},
            )
        if len(scope["headers"]) > MAX_HEADERS:
            raise ProblemError(
                "too-many-headers",
                431,
                f"a request has at most {MAX_HEADERS} headers",
                headers={"Connection": "close"},
            )

    def _require_place(self, network: str) -> None:
        full = self._requests.full(network)
        if full is not None:
            raise ProblemError(
                "too-many-requests",
                429 if full == "of one" else 503,
                "too many requests are being served for this address; wait for answers"
                if full == "of one"
                else "too many requests are being served; ask again in a moment",
                title="Too many requests at once",
                headers={"Retry-After": "2"},
            )


async def _require_turn(request: Request) -> None:
    """Raise a 429 problem for an address that has used up its turns.

    Who shows nothing takes a turn now. Who shows something that proved somebody before is let through even
    then: that has turns of its own, and they do not suffer from others at their address. Who shows something
    else is let through while the address has turns; whether they prove somebody decides whose turn it was.
    """
    if request.url.path in PROBED:
        request.scope["counted"] = True
        await require_patience(request, f"probe of {bucket_of_address(request)}")
    elif not shows_something(request):
        await require_turn_of_address(request)
    elif not showed_what_is_known(request):
        await require_patience(request, bucket_of_address(request), take=False)
    else:
        # Routes that are open, or that do not exist, ask nobody who this is.
        await require_patience(request, f"credential {credential_of(request).hex()}")
