"""Serves a service's metrics at an address of their own: its clients reach nothing else of the service.

The page shares the service's process, so connections, bytes and time of its clients are bounded.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

MOST_CONNECTIONS = 8
MAX_HEAD_BYTES = 8 * 1024
SECONDS = 5.0
"""Longest time of one connection, from its first byte to its end."""
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format."""


@asynccontextmanager
async def serving_metrics(
    listen: str | None, page: Callable[[], Awaitable[bytes]]
) -> AsyncGenerator[tuple[str, int] | None]:
    """Answer `GET /metrics` at `HOST:PORT` while the block runs, and every other request with 404.

    Yields the address; without `listen` nothing listens and None is yielded. Raises OSError when the address
    cannot be bound.
    """
    if listen is None:
        yield None
        return
    host, _, port = listen.rpartition(":")
    door = _MetricsDoor(page)
    server = await asyncio.start_server(door.answer, host.strip("[]"), int(port), limit=MAX_HEAD_BYTES)
    try:
        name = server.sockets[0].getsockname()
        yield name[0], name[1]
    finally:
        server.close()
        await door.close()


class _MetricsDoor:
    """Serves one request per connection; connections beyond `MOST_CONNECTIONS` are closed at once."""

    def __init__(self, page: Callable[[], Awaitable[bytes]]) -> None:
        self._page = page
        self._conversations: set[asyncio.Task[None]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, for `asyncio.start_server`."""
        task = asyncio.current_task()
        assert task is not None
        if len(self._conversations) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._conversations.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(SECONDS):
                    await self._converse(reader, writer)
        finally:
            self._conversations.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.partition(b"\r\n")[0]
        is_known = line.startswith((b"GET /metrics ", b"GET /metrics?"))
        status, body = ("200 OK", await self._page()) if is_known else ("404 Not Found", b"")
        lines = (
            f"HTTP/1.1 {status}",
            f"Content-Type: {MEDIA_TYPE}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        writer.write("\r\n".join((*lines, "", "")).encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def close(self) -> None:
        """End all open connections."""
        for task in list(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
