"""Bodies: who sends one, and whether they may, is known before its first byte is read.

This holds for every route, whatever it declares: the body is only handed on from here. The route says by its
`Requires` who may send, and how much; a route without one gets no body from anybody.
"""

import asyncio
from contextlib import AsyncExitStack

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from approval_api.authentication import admit_sender
from approval_api.body_bounds import MAX_FIELDS, SMALL_BODY
from approval_api.ceiling import Ceiling
from approval_api.people.person import Person
from approval_api.problems import ProblemError
from approval_api.rate_limit import bucket_of_address
from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, check_bounds
from dryrun_contract.problem import Fault

PLACE_SECONDS = 10.0
"""How long a body waits, unread, for a place among those that are read."""
_CLOSE = {"Connection": "close"}


class Bodies:
    """ASGI middleware, the last before the routes: reads a body when it is asked for, and in one piece."""

    def __init__(self, app: ASGIApp, *, seconds: float, small: Ceiling, large: Ceiling) -> None:
        """Wrap `app`. A body arrives within `seconds`; `small` and `large` bound how many there are at once.

        A small one counts while it arrives, a large one until its request is answered.
        """
        self._app = app
        self._seconds = seconds
        self._small = small
        self._large = large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _announces_body(scope):
            await self._app(scope, receive, send)
            return
        asked = False
        async with AsyncExitStack() as held:

            async def receive_judged() -> Message:
                nonlocal asked
                if asked:
                    return await receive()
                asked = True
                return await self._read(scope, receive, held)

            await self._app(scope, receive_judged, send)

    async def _read(self, scope: Scope, receive: Receive, held: AsyncExitStack) -> Message:
        request = Request(scope)
        person, bounds = await admit_sender(request)
        _require_kind_and_length(request, bounds)
        who = _name(request, person)
        large = _announced(request, bounds.size) > SMALL_BODY.size
        places = self._large if large else self._small
        async with AsyncExitStack() as while_reading:
            try:
                place = places.place_within(PLACE_SECONDS, who)
                await (held if large else while_reading).enter_async_context(place)
            except TimeoutError:
                raise ProblemError(
                    "too-many-bodies",
                    503,
                    "too many bodies are being read; send this one again in a moment",
                    title="Too many bodies at once",
                    headers={"Retry-After": "2", **_CLOSE},
                ) from None
            try:
                async with asyncio.timeout(self._seconds):
                    message = await _receive_all(receive, bounds)
            except TimeoutError:
                raise ProblemError(
                    "body-too-slow",
                    408,
                    f"a body arrives within {self._seconds:g} s; send it again",
                    headers=_CLOSE,
                ) from None
        if message["type"] == "http.request":
            _check(request, message["body"], bounds)
        return message


def _announces_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != ""


def _name(request: Request, person: Person | None) -> str:
    return f"person {person.name}" if person is not None else bucket_of_address(request)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _require_kind_and_length(request: Request, bounds: JsonBounds) -> None:
    if request.headers.get("content-type", "").lower().lstrip().startswith("multipart/"):
        raise ProblemError(
            "media-type-not-supported",
            415,
            "send JSON, or a form as application/x-www-form-urlencoded",
            headers=_CLOSE,
        )
    announced = _announced(request, bounds.size)
    if announced > bounds.size:
        raise ProblemError(
            "body-too-large",
            413,
            f"a body has at most {bounds.size} bytes; this one announces {announced}",
            headers=_CLOSE,
        )


def _announced(request: Request, most: int) -> int:
    """Return how many bytes are announced; `most` for a body that does not say (RFC 9112, section 7.1)."""
    announced = request.headers.get("content-length")
    # The server lets pass digits only, and no more than 20.
    return most if announced is None else int(announced)


async def _receive_all(receive: Receive, bounds: JsonBounds) -> Message:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if len(body) > bounds.size:
            raise ProblemError(
                "body-too-large", 413, f"a body has at most {bounds.size} bytes", headers=_CLOSE
            )
        if not message.get("more_body", False):
            return {"type": "http.request", "body": bytes(body), "more_body": False}


def _check(request: Request, body: bytes, bounds: JsonBounds) -> None:
    if _is_form(request):
        if body.count(b"&") >= MAX_FIELDS:
            raise _not_valid(f"more than {MAX_FIELDS} fields")
        return
    if not _is_utf8(body):
        raise _not_valid("is not UTF-8")
    try:
        check_bounds(body, bounds)
    except OutOfBoundsError as error:
        raise _not_valid(str(error)) from error


def _is_utf8(body: bytes) -> bool:
    # Python's parser reads UTF-16 and UTF-32 too, in which brackets and quotes are other bytes. JSON has no
    # byte 0 in UTF-8, and always one in those, or a byte order mark that is no UTF-8.
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\x00" not in body


def _not_valid(reason: str) -> ProblemError:
    return ProblemError(
        "invalid-request",
        422,
        f"the body cannot be taken: {reason}",
        title="The request is not valid",
        faults=(Fault(where="body", what=reason),),
    )
