"""Notices that an application's lifespan ends unasked, which uvicorn does not: it would go on serving."""

import asyncio
import sys
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dryrun_contract.problem import PROBLEM_MEDIA_TYPE
from dryrun_serving.refusal import RefusedError

_ENDING = RefusedError("ending", 503, "this service has failed and ends; try again in a moment").problem


class StartRefusedError(Exception):
    """Why a service cannot start, for whoever operates it: the log has this text and no traceback."""


class Lifespan:
    """ASGI middleware, the outermost: no request reaches what it wraps once its lifespan has failed."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app
        self.failed: Callable[[], None] = lambda: None
        """Called, once or more, when the lifespan begins to end by itself."""
        self._ends = False
        self._starting: asyncio.Task[object] | None = None
        self._is_given_up = False

    def give_up_start(self) -> None:
        """End a start that is under way: it may wait for what does not come."""
        self._is_given_up = True
        if self._starting is not None:
            self._starting.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the lifespan, or one request."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._ends:
            body = _ENDING.model_dump_json(exclude_none=True, exclude_defaults=True)
            headers = {"Retry-After": "5", "Cache-Control": "no-store", "Connection": "close"}
            answer = Response(body, 503, headers, PROBLEM_MEDIA_TYPE)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = False

        async def receive_until_asked() -> Message:
            nonlocal asked
            try:
                message = await receive()
            except BaseException:
                # Its background work was cancelled with it. Cleaning up, which follows, may take long.
                self._fail()
                raise
            asked = message["type"] == "lifespan.shutdown"
            self._starting = None if asked else asyncio.current_task()
            if self._starting is not None and self._is_given_up:
                self._starting.cancel()  # it was asked to end before it had begun
            return message

        async def send_plainly(message: Message) -> None:
            self._starting = None
            # Starlette sends the traceback while it handles the error.
            error = sys.exception()
            if isinstance(error, StartRefusedError):
                message = {**message, "message": str(error)}
            elif isinstance(error, asyncio.CancelledError) and message["type"] == "lifespan.startup.failed":
                message = {**message, "message": "stopped before it had started"}
            await send(message)

        try:
            await self._app(scope, receive_until_asked, send_plainly)
        finally:
            if not asked:
                self._fail()

    def _fail(self) -> None:
        self._ends = True
        self.failed()
