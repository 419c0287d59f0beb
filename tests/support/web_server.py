"""A web server that sends given bytes, for responses that real servers never send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class WebServer:
    """Answers each request with what `answers` says of its path; keeps request heads."""

    def __init__(self, answers: dict[str, bytes | Callable], host: str = "127.0.0.1") -> None:
        self.answers = answers
        self.host = host
        self.port = 0
        self.requests: list[str] = []
        self.connections = 0

    @asynccontextmanager
    async def running(self, **options) -> AsyncIterator["WebServer"]:
        listener = await asyncio.start_server(self._serve, self.host, 0, **options)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            listener.close_clients()
            await listener.wait_closed()

    @property
    def paths(self) -> list[str]:
        return [request.split(" ")[1] for request in self.requests]

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.requests.append(head)
                answer = self.answers.get(
                    head.split(" ")[1].partition("?")[0], page("gone", status="404 Not Found")
                )
                if callable(answer):
                    await answer(writer)
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def page(title: str, body: str = "", status: str = "200 OK", **headers: str) -> bytes:
    content = f"<html><head><title>{title}</title></head><body>{body}</body></html>".encode()
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(content)}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def redirect(location: str, status: str = "302 Found") -> bytes:
    return f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
