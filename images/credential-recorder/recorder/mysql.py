"""MySQL: greets, takes the answer to its challenge, and refuses it."""

import asyncio
import os

from record import offered

MOST_BYTES = 8192
CAPABILITIES = 0x0008_A200 | 0x01 | 0x04 | 0x08
"""Protocol 4.1, secure connection, plugins; no TLS."""
PLUGIN = b"mysql_native_password\0"
UTF8, AUTOCOMMIT = 0x21, 2
FIXED_BYTES = 32
"""Of the client's answer, before the user's name."""
PLUGIN_PACKET = 0xFE


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
    challenge = bytes(each % 94 + 33 for each in os.urandom(20))
    writer.write(_packet(0, _greeting(challenge)))
    await writer.drain()
    number, answer = await _read(reader)
    user, _, rest = answer[FIXED_BYTES:].partition(b"\0")
    if len(answer) <= FIXED_BYTES:
        writer.write(_packet(number + 1, b"\xff\x13\x04#08S01Bad handshake"))
        return
    if not rest[:1] or not rest[0]:
        # The client waits to hear by which method it shall prove itself.
        writer.write(_packet(number + 1, bytes([PLUGIN_PACKET]) + PLUGIN + challenge + b"\0"))
        await writer.drain()
        number, proof = await _read(reader)
    else:
        proof = rest[1 : 1 + rest[0]]
    if proof:
        offered("mysql", user, "a proof of the password", peer)
    who = user[:64].decode("utf-8", "replace")
    words = f"Access denied for user '{who}'@'{peer}' (using password: {'YES' if proof else 'NO'})"
    writer.write(_packet(number + 1, b"\xff\x15\x04#28000" + words.encode()))


def _greeting(challenge: bytes) -> bytes:
    low, high = (CAPABILITIES & 0xFFFF).to_bytes(2, "little"), (CAPABILITIES >> 16).to_bytes(2, "little")
    return (
        b"\x0a8.0.39\0"
        + (7).to_bytes(4, "little")
        + challenge[:8]
        + b"\0"
        + low
        + bytes([UTF8])
        + AUTOCOMMIT.to_bytes(2, "little")
        + high
        + bytes([21])
        + bytes(10)
        + challenge[8:]
        + b"\0"
        + PLUGIN
    )


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    heading = await reader.readexactly(4)
    size = int.from_bytes(heading[:3], "little")
    return heading[3], b"" if size > MOST_BYTES else await reader.readexactly(size)


def _packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number & 0xFF]) + body
