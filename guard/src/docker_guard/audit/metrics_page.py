"""Serves the metrics, within limits, because it shares the guard's process."""

import asyncio
from contextlib import suppress

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from docker_guard.audit.metrics import REGISTRY

MOST_CONNECTIONS = 8
MAX_HEAD_BYTES = 8 * 1024
_SECONDS = 5.0


class MetricsPage:
    """Answers `GET /metrics`, one request per connection; connections beyond the ceiling are closed."""

    def __init__(self) -> None:
        self._connections = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, for `asyncio.start_server`."""
        if self._connections >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(_page(head))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._connections -= 1
            writer.transport.abort()


def _page(head: bytes) -> bytes:
    line = head.partition(b"\r\n")[0]
    is_known = line.startswith((b"GET /metrics ", b"GET /metrics?"))
    status, body = ("200 OK", generate_latest(REGISTRY)) if is_known else ("404 Not Found", b"")
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {CONTENT_TYPE_LATEST}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + body
