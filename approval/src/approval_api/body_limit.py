"""Bodies have a limit, and what is over it is answered as a problem like every other error."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from approval_api.problems import ProblemError, problem_response

MAX_BODY_BYTES = 64 * 1024


class BodyLimit:
    """ASGI middleware: refuses by the announced length, or as soon as more arrived."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > MAX_BODY_BYTES:
            error = ProblemError(
                "body-too-large",
                413,
                f"a body has at most {MAX_BODY_BYTES} bytes; this one announces {announced}",
            )
            await problem_response(Request(scope), error.problem)(scope, receive, send)
            return
        arrived = 0

        async def receive_limited() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > MAX_BODY_BYTES:
                raise HTTPException(413, f"a body has at most {MAX_BODY_BYTES} bytes")
            return message

        await self._app(scope, receive_limited, send)
