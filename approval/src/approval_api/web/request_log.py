"""Gives each request an id, one log line and its metrics."""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from approval_api.telemetry.metrics import Metrics
from dryrun_contract.text import printable
from dryrun_serving import logs
from dryrun_serving.door import METHODS

logger = logging.getLogger(__name__)

PROBED = frozenset({"/livez", "/readyz", "/metrics"})
"""The paths of monitoring: logged as DEBUG only, and limited apart from other requests of its address."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PATH_CHARACTERS = 500


class RequestLog:
    """ASGI middleware, outermost: logs and counts each request once its answer has ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap `app`."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        token = logs.request_id.set(scope["request_id"])
        status = 0
        streams = False
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = scope["request_id"]
                headers.setdefault("Cache-Control", "no-store")
                streams = headers.get("content-type", "").startswith("text/event-stream")
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._log(scope, status, time.perf_counter() - started, streams=streams)
            logs.request_id.reset(token)

    def _log(self, scope: Scope, status: int, seconds: float, *, streams: bool) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        if not streams:
            self._metrics.request_seconds.labels(route).observe(seconds)
        level = logging.DEBUG if scope["path"] in PROBED else logging.INFO
        logger.log(
            level,
            "request",
            extra={
                "method": method,
                "path": printable(scope["path"], limit=_PATH_CHARACTERS),
                "status": status,
                "seconds": round(seconds, 4),
                "actor": scope.get("actor"),
            },
        )
