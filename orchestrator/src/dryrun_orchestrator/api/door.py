"""Who may come in: the token is judged before anything else sees a request, or a byte of its body is read.

What is refused is answered at once, its body unread. Nothing here keeps what a stranger sent.
"""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request

from dryrun_contract.bounded_json import JsonBounds
from dryrun_orchestrator.api.problems import answer_refusal
from dryrun_serving.bodies import Bodies, Sender
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.door import Admitted, Door
from dryrun_serving.rate_limit import RateLimit
from dryrun_serving.refusal import RefusedError

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
METHODS = frozenset({"GET", "HEAD", "PUT", "POST"})
BODY_BOUNDS = JsonBounds(size=16 * 1024, values=64, depth=4, key_length=64)
"""The largest body that is ever needed requests a session: three values."""
BODY_SECONDS = 5.0
BODIES = 64
REFUSALS_PER_SECOND, REFUSALS_AT_ONCE = 1.0, 20
"""Requests without the token that are put on record; the others are only counted."""

type Record = Callable[[Request], Awaitable[None]]
"""Puts a command on record that came without the token."""


def install_door(app: Starlette, token: str, record: Record) -> None:
    """Let nobody without `token` past the open paths of `app`, and no body that is large, slow or deep."""
    bodies = Ceiling(BODIES, BODIES)
    app.add_middleware(Bodies, admit=_sender, seconds=BODY_SECONDS, small=bodies, large=bodies)
    app.add_middleware(
        Door, admitted=_admitting(token, record), answer=answer_refusal, methods=METHODS, method_status=405
    )


def _admitting(token: str, record: Record) -> Admitted:
    # A line on disk for each refusal would let strangers fill the disk.
    records = RateLimit(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE)

    @asynccontextmanager
    async def admitted(request: Request) -> AsyncIterator[None]:
        if request.scope["path"] not in OPEN_PATHS and not _shows(request, token):
            if request.method in {"PUT", "POST"} and not records.wait("strangers"):
                await record(request)
            raise RefusedError(
                "unauthorized",
                401,
                "send the orchestrator's token as 'Authorization: Bearer …'",
                title="The bearer token is missing or wrong",
                headers={"WWW-Authenticate": "Bearer"},
            )
        yield

    return admitted


def _shows(request: Request, token: str) -> bool:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())


async def _sender(_: Request) -> Sender:
    return Sender("whoever has the token", BODY_BOUNDS)
