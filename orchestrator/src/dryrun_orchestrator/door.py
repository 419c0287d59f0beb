"""Who may come in: credentials, method and size of every request are judged before its body is read.

What is refused is answered at once, its body unread; `connections` ends the connection. Nothing here keeps
what a stranger sent.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from time import monotonic
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, check_bounds
from dryrun_contract.problem import PROBLEM_MEDIA_TYPE, Problem, problem_type
from dryrun_contract.text import printable

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
METHODS = frozenset({"GET", "HEAD", "PUT", "POST"})
BODY_BOUNDS = JsonBounds(size=16 * 1024, values=64, depth=4, key_length=64)
"""The largest body there is asks for a session: three values."""
BODY_SECONDS = 5.0
REFUSALS_PER_SECOND, REFUSALS_AT_ONCE = 1.0, 20.0
"""Of requests without the token: that many are put on record, the others are only counted."""

type Record = Callable[[Request], Awaitable[None]]
"""Puts a command on record that came without the token."""


class _RefusedError(Exception):
    def __init__(self, status: int, name: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.title = title


class Door:
    """ASGI middleware in front of everything else."""

    def __init__(self, app: ASGIApp, *, token: str, record: Record) -> None:
        self._app = app
        self._token = token.encode()
        self._record = record
        self._records = REFUSALS_AT_ONCE
        self._refilled_at = monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in or answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            await self._judge(scope, headers)
            body = await _read_body(headers, receive)
        except _RefusedError as refusal:
            await _answer(scope, headers, refusal, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _judge(self, scope: Scope, headers: Headers) -> None:
        method: str = scope["method"]
        if method not in METHODS:
            raise _RefusedError(405, "http-405", "Method Not Allowed", "this service knows GET, PUT and POST")
        if scope["path"] in OPEN_PATHS:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token):
            return
        if method in {"PUT", "POST"} and self._may_record():
            await self._record(Request(scope))
        raise _RefusedError(
            401,
            "unauthorized",
            "The bearer token is missing or wrong",
            "send the orchestrator's token as 'Authorization: Bearer …'",
        )

    def _may_record(self) -> bool:
        """Take one from a bucket: a line on disk for each refusal would let strangers fill the disk."""
        now = monotonic()
        earned = (now - self._refilled_at) * REFUSALS_PER_SECOND
        self._records = min(REFUSALS_AT_ONCE, self._records + earned)
        self._refilled_at = now
        if self._records < 1:
            return False
        self._records -= 1
        return True


async def _read_body(headers: Headers, receive: Receive) -> bytes:
    """Return the body. Raises _RefusedError when it is too large, too slow, or made to grow."""
    too_large = _RefusedError(
        413, "body-too-large", "The body is too large", f"{BODY_BOUNDS.size} bytes are the most"
    )
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdecimal() or len(length) > 9 or int(length) > BODY_BOUNDS.size:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    break
                body += message.get("body", b"")
                if len(body) > BODY_BOUNDS.size:
                    raise too_large
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        detail = f"it did not arrive within {BODY_SECONDS:g} s"
        raise _RefusedError(408, "body-too-slow", "The body is too slow", detail) from None
    try:
        check_bounds(bytes(body), BODY_BOUNDS)
    except OutOfBoundsError as error:
        raise _RefusedError(422, "invalid-request", "The request is not valid", f"body: {error}") from None
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read, then whatever comes next: that the client went away."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


async def _answer(scope: Scope, headers: Headers, refusal: _RefusedError, send: Send) -> None:
    problem = Problem(
        type=problem_type(refusal.name),
        title=refusal.title,
        status=refusal.status,
        detail=str(refusal),
        instance=printable(scope["path"]),
        request_id=printable(headers.get("x-request-id") or str(uuid4())),
    )
    body = json.dumps(problem.model_dump(mode="json", exclude_none=True)).encode()
    told = [
        (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if refusal.status == 401:
        told.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": told})
    await send({"type": "http.response.body", "body": body})
