"""MongoDB: answers its greeting, requires a login for the rest, and refuses the SCRAM proof."""

import asyncio
import os
import struct

from record import offered

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEADING = struct.Struct("<iiii")
MOST_BYTES = 48_000
SALT = "AAECAwQFBgcICQoLDA0ODw=="
GREETINGS = (b"hello", b"ismaster")
UNAUTHORIZED, FAILED = 13, 18
DOUBLE, TEXT, DOCUMENT, ARRAY, BINARY, BOOLEAN, INT32, INT64 = 1, 2, 3, 4, 5, 8, 16, 18
FIXED = {DOUBLE: 8, 7: 12, BOOLEAN: 1, 9: 8, 10: 0, INT32: 4, 17: 8, INT64: 8}
"""BSON types of a fixed size, in bytes."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
    user = b""
    while True:
        size, request, _, operation = HEADING.unpack(await reader.readexactly(HEADING.size))
        if not HEADING.size < size <= MOST_BYTES:
            return
        body = await reader.readexactly(size - HEADING.size)
        if operation == OP_MSG:
            found = _first_values(body[5:])
        elif operation == OP_QUERY:
            found = _first_values(body[4:].partition(b"\0")[2][8:])
        else:
            return
        command = next(iter(found), b"")
        payload = found.get(b"payload", b"")
        if command.lower() in GREETINGS:
            answer = _greeting()
        elif command == b"saslStart":
            user = payload.partition(b"n=")[2].split(b",")[0]
            answer = _challenge(payload)
        elif command == b"saslContinue":
            if b",p=" in payload:
                offered("mongodb", user, "a SCRAM proof of the password", peer)
            answer = _refusal("Authentication failed.", FAILED)
        else:
            answer = _refusal("Command requires authentication", UNAUTHORIZED)
        writer.write(_reply(operation, request, answer))
        await writer.drain()


def _first_values(document: bytes) -> dict[bytes, bytes]:
    """Return the names of a BSON document's elements, with the values of those that are bytes or text."""
    found: dict[bytes, bytes] = {}
    place = 4
    while place < len(document) and (kind := document[place]):
        name, _, _ = document[place + 1 :].partition(b"\0")
        place += len(name) + 2
        size = FIXED.get(kind)
        if size is None:
            length = int.from_bytes(document[place : place + 4], "little")
            extra = {TEXT: 4, BINARY: 5, DOCUMENT: 0, ARRAY: 0}.get(kind)
            if extra is None or length > len(document):
                break
            found[name] = document[place + extra : place + extra + length]
            size = extra + length
        else:
            found[name] = b""
        place += size
    return found


def _greeting() -> bytes:
    return _document(
        _boolean("ismaster", value=True),
        _int("maxBsonObjectSize", 16777216),
        _int("maxMessageSizeBytes", 48000000),
        _int("maxWriteBatchSize", 100000),
        _int("minWireVersion", 0),
        _int("maxWireVersion", 21),
        _boolean("readOnly", value=False),
        _double("ok", 1.0),
    )


def _challenge(payload: bytes) -> bytes:
    nonce = payload.rpartition(b"r=")[2].split(b",")[0][:200].decode("ascii", "replace")
    words = f"r={nonce}{os.urandom(12).hex()},s={SALT},i=15000".encode()
    return _document(
        _int("conversationId", 1),
        _boolean("done", value=False),
        _element(BINARY, "payload", struct.pack("<iB", len(words), 0) + words),
        _double("ok", 1.0),
    )


def _refusal(words: str, code: int) -> bytes:
    text = words.encode() + b"\0"
    return _document(
        _double("ok", 0.0),
        _element(TEXT, "errmsg", struct.pack("<i", len(text)) + text),
        _int("code", code),
    )


def _reply(operation: int, request: int, answer: bytes) -> bytes:
    if operation == OP_QUERY:
        body, kind = struct.pack("<iqii", 8, 0, 0, 1) + answer, OP_REPLY
    else:
        body, kind = struct.pack("<iB", 0, 0) + answer, OP_MSG
    return HEADING.pack(HEADING.size + len(body), 1, request, kind) + body


def _document(*elements: bytes) -> bytes:
    content = b"".join(elements) + b"\0"
    return struct.pack("<i", len(content) + 4) + content


def _element(kind: int, name: str, value: bytes) -> bytes:
    return bytes([kind]) + name.encode() + b"\0" + value


def _int(name: str, value: int) -> bytes:
    return _element(INT32, name, struct.pack("<i", value))


def _double(name: str, value: float) -> bytes:
    return _element(DOUBLE, name, struct.pack("<d", value))


def _boolean(name: str, *, value: bool) -> bytes:
    return _element(BOOLEAN, name, bytes([value]))
