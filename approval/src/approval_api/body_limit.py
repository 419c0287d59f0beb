"""Bodies have a limit, and what is over it is answered as a problem like every other error."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from approval_api.problems import ProblemError, problem_response

MAX_BODY_BYTES = 64 * 1024
MAX_REPORT_BYTES = 4 * 1024 * 1024
"""Of what a collector reports at once: up to 500 discoveries."""


class BodyLimit:
    """ASGI middleware: refuses by the announced length, or as soon as more arrived."""

    def __init__(self, app: ASGIApp, report_path: str = "") -> None:
        """Wrap `app`; what is posted to `report_path` may be longer."""
        self._app = app
        self._report_path = report_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reports = scope["method"] == "POST" and scope["path"] == self._report_path
        most = MAX_REPORT_BYTES if reports else MAX_BODY_BYTES
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > most:
            error = ProblemError(
                "body-too-large",
                413,
                f"a body has at most {most} bytes; this one announces {announced}",
            )
            await problem_response(Request(scope), error.problem)(scope, receive, send)
            return
        arrived = 0

        async def receive_limited() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                raise HTTPException(413, f"a body has at most {most} bytes")
            return message

        await self._app(scope, receive_limited, send)
