"""A connection that a server hands over after an answer 101, as Docker's engine does for standard input.

aiohttp keeps such a connection to itself, so request and head of the answer are written and read here.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from typing import Final

from yarl import URL

SWITCHED: Final = 101
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")
_HEAD_BYTES, _ANSWER_BYTES, _LEAST_ERROR = 16 * 1024, 4096, 400


async def send_after_switch(
    url: URL, socket_path: str | None, tls: ssl.SSLContext | None, headers: Mapping[str, str], data: bytes
) -> tuple[int, bytes]:
    """Send a POST, and `data` if it is answered by 101; return the status and the body of another answer.

    Returns when all was handed to the connection, which is closed in order. Raises OSError when it breaks or
    the answer is not HTTP. The caller has a deadline.
    """
    if socket_path is None:
        reader, writer = await asyncio.open_connection(url.host, url.port, ssl=tls, limit=_HEAD_BYTES)
    else:
        reader, writer = await asyncio.open_unix_connection(socket_path, limit=_HEAD_BYTES)
    try:
        writer.write(_head(url, headers))
        status, is_engines = await _answer_head(reader)
        if status != SWITCHED:
            # What follows a success that is no switch, as where a proxy drops the wish, may never come.
            body = await reader.read(_ANSWER_BYTES) if status >= _LEAST_ERROR else b""
            return status, _as_error(body) if is_engines else body
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return status, b""
    finally:
        writer.transport.abort()


def _head(url: URL, headers: Mapping[str, str]) -> bytes:
    host = url.host if url.explicit_port is None else f"{url.host}:{url.explicit_port}"
    fields = {"Host": host, "Connection": "Upgrade", "Upgrade": "tcp", "Content-Length": "0", **headers}
    lines = [f"POST {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _answer_head(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Return the status, and whether the engine took over the connection, so that plain text follows."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (EOFError, asyncio.LimitOverrunError) as error:
        raise ConnectionError(f"no answer in HTTP: {type(error).__name__}") from error
    line = _STATUS_LINE.match(head)
    if line is None:
        raise ConnectionError("no answer in HTTP")
    return int(line[1]), b"application/vnd.docker." in head


def _as_error(text: bytes) -> bytes:
    """Return an engine's text in the form of its other errors."""
    return json.dumps({"message": text.decode("utf-8", "replace").strip()}).encode()
