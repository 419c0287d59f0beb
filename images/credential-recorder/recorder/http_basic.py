"""HTTP: wants a login by Basic authentication, and refuses every one."""

import asyncio
import base64
import binascii

from record import offered

MOST_REQUESTS = 100
REFUSAL = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="shares"\r\n'
    b"Content-Type: text/plain\r\nContent-Length: 16\r\n\r\nlog in to go on\n"
)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
    for _ in range(MOST_REQUESTS):
        request = await reader.readuntil(b"\r\n\r\n")
        for line in request.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            method, _, secret = value.strip().partition(b" ")
            if name.strip().lower() == b"authorization" and method:
                basic = method.lower() == b"basic"
                form = "the password" if basic else "another authorization"
                offered("http", _user(secret) if basic else b"", form, peer)
        writer.write(REFUSAL if request[:5] != b"HEAD " else REFUSAL.rpartition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        await writer.drain()
        if b" HTTP/1.0\r\n" in request or b"\r\nconnection: close\r\n" in request.lower():
            return


def _user(secret: bytes) -> bytes:
    try:
        user, _, password = base64.b64decode(secret, validate=True).partition(b":")
    except binascii.Error:
        return b""
    # Without a password the user may be the secret: tokens are offered in its place.
    return user if password else b""
