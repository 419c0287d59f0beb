"""PostgreSQL: asks for a SCRAM proof, and refuses whatever comes."""

import asyncio
import base64
import os

from record import offered

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
PROTOCOL_3 = 196608
MOST_BYTES = 8192
SALT = base64.b64encode(bytes(range(16))).decode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
    while True:
        size, code = int.from_bytes(await reader.readexactly(4)), int.from_bytes(await reader.readexactly(4))
        if not 8 <= size <= MOST_BYTES:
            return
        rest = await reader.readexactly(size - 8)
        if code not in (SSL_REQUEST, GSS_REQUEST):
            break
        writer.write(b"N")
        await writer.drain()
    if code != PROTOCOL_3:
        writer.write(_error("0A000", f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}"))
        return
    values = rest.split(b"\0")
    user = dict(zip(values[::2], values[1::2], strict=False)).get(b"user", b"")
    if not user:
        writer.write(_error("28000", "no PostgreSQL user name specified in startup packet"))
        return
    writer.write(_message(b"R", (10).to_bytes(4) + b"SCRAM-SHA-256\0\0"))
    await writer.drain()
    first = await _answer(reader)
    nonce = first.rpartition(b"r=")[2].split(b",")[0][:200].decode("ascii", "replace")
    server_first = f"r={nonce}{os.urandom(12).hex()},s={SALT},i=4096".encode()
    writer.write(_message(b"R", (11).to_bytes(4) + server_first))
    await writer.drain()
    if b",p=" in await _answer(reader):
        offered("postgresql", user, "a SCRAM proof of the password", peer)
    who = user[:64].decode("utf-8", "replace")
    writer.write(_error("28P01", f'password authentication failed for user "{who}"'))


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Return the body of a message of a client that logs in; nothing for any other."""
    kind, size = await reader.readexactly(1), int.from_bytes(await reader.readexactly(4))
    if kind != b"p" or not 4 <= size <= MOST_BYTES:
        return b""
    return await reader.readexactly(size - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def _error(code: str, words: str) -> bytes:
    fields = (f"SFATAL\0VFATAL\0C{code}\0M{words}\0").encode() + b"\0"
    return _message(b"E", fields)
