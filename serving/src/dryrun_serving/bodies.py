"""Bodies: who sends one, and whether they may, is known before its first byte is read.

This holds for every route, whatever it declares: the body is only handed on from here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, check_bounds
from dryrun_contract.problem import Fault
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.refusal import CLOSE, RefusedError

PLACE_SECONDS = 10.0
"""How long a body waits, unread, for a place among those that are read."""
SMALL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Sender:
    """Who is about to send a body, and what they may send."""

    name: str
    """Whom the body counts for."""
    bounds: JsonBounds
    most_fields: int = 0
    """Fields of a form; 0 takes no form, and measures it like JSON."""


type AdmitSender = Callable[[Request], Awaitable[Sender]]
"""Judges the head of a request whose body is about to be read. Raises RefusedError for who may not send."""


class Bodies:
    """ASGI middleware, the last before the routes: reads a body when it is asked for, and in one piece."""

    def __init__(
        self, app: ASGIApp, *, admit: AdmitSender, seconds: float, small: Ceiling, large: Ceiling
    ) -> None:
        """Wrap `app`. A body arrives within `seconds`; `small` and `large` bound how many there are at once.

        A small one (64 KiB) counts while it arrives, a large one until its request is answered.
        """
        self._app = app
        self._admit = admit
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
        sender = await self._admit(request)
        _require_kind_and_length(request, sender.bounds)
        large = _announced(request, sender.bounds.size) > SMALL_BYTES
        places = self._large if large else self._small
        async with AsyncExitStack() as while_reading:
            try:
                place = places.place_within(PLACE_SECONDS, sender.name)
                await (held if large else while_reading).enter_async_context(place)
            except TimeoutError:
                raise RefusedError(
                    "too-many-bodies",
                    503,
                    "too many bodies are being read; send this one again in a moment",
                    title="Too many bodies at once",
                    headers={"Retry-After": "2", **CLOSE},
                ) from None
            try:
                async with asyncio.timeout(self._seconds):
                    message = await _receive_all(receive, sender.bounds)
            except TimeoutError:
                raise RefusedError(
                    "body-too-slow",
                    408,
                    f"a body arrives within {self._seconds:g} s; send it again",
                    headers=CLOSE,
                ) from None
        if message["type"] == "http.request":
            _check(request, message["body"], sender)
        return message


def _announces_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != ""


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _require_kind_and_length(request: Request, bounds: JsonBounds) -> None:
    if request.headers.get("content-type", "").lower().lstrip().startswith("multipart/"):
        raise RefusedError(
            "media-type-not-supported",
            415,
            "send JSON, or a form as application/x-www-form-urlencoded",
            headers=CLOSE,
        )
    announced = _announced(request, bounds.size)
    if announced > bounds.size:
        raise RefusedError(
            "body-too-large",
            413,
            f"a body has at most {bounds.size} bytes; this one announces {announced}",
            headers=CLOSE,
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
            raise RefusedError(
                "body-too-large", 413, f"a body has at most {bounds.size} bytes", headers=CLOSE
            )
        if not message.get("more_body", False):
            return {"type": "http.request", "body": bytes(body), "more_body": False}


def _check(request: Request, body: bytes, sender: Sender) -> None:
    if sender.most_fields and _is_form(request):
        if body.count(b"&") >= sender.most_fields:
            raise _not_valid(f"more than {sender.most_fields} fields")
        return
    if not _is_utf8(body):
        raise _not_valid("is not UTF-8")
    try:
        check_bounds(body, sender.bounds)
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


def _not_valid(reason: str) -> RefusedError:
    return RefusedError(
        "invalid-request",
        422,
        f"the body cannot be taken: {reason}",
        title="The request is not valid",
        faults=(Fault(where="body", what=reason),),
    )
