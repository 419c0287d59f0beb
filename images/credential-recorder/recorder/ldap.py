"""LDAP: says which version it speaks, names no directory, and takes no password for right."""

import asyncio

from ber import elements, integer, length, tlv
from record import offered

BIND, BIND_DONE, UNBIND, SEARCH, ENTRY, SEARCH_DONE = 0x60, 0x61, 0x42, 0x63, 0x64, 0x65
EXTENDED, EXTENDED_DONE = 0x77, 0x78
SIMPLE = 0x80
SUCCESS, PROTOCOL_ERROR, INVALID_CREDENTIALS, NOT_SUPPORTED = 0, 2, 49, 53


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
    while True:
        number, tag, content = await _request(reader)
        if tag == UNBIND:
            return
        if tag == BIND:
            writer.write(_done(number, BIND_DONE, _bind(content, peer)))
        elif tag == SEARCH:
            base = next(iter(elements(content)))[1]
            if not base:
                writer.write(_root(number))
            writer.write(_done(number, SEARCH_DONE, SUCCESS))
        elif tag == EXTENDED:
            writer.write(_done(number, EXTENDED_DONE, PROTOCOL_ERROR))
        else:
            writer.write(_done(number, tag + 1, NOT_SUPPORTED))
        await writer.drain()


def _bind(content: bytes, peer: str) -> int:
    _, (_, user), (method, secret) = list(elements(content))[:3]
    if method == SIMPLE and not secret:
        return SUCCESS
    offered("ldap", user, "the password" if method == SIMPLE else "a SASL login", peer)
    return INVALID_CREDENTIALS


async def _request(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Return number, tag and content of a request. Raises ValueError for what is none."""
    if await reader.readexactly(1) != b"\x30":
        raise ValueError("it is no LDAP message")
    first = await reader.readexactly(1)
    more = await reader.readexactly(first[0] & 0x7F if first[0] > 0x80 else 0)
    size, _ = length(first + more)
    parts = list(elements(await reader.readexactly(size)))
    return int.from_bytes(parts[0][1]), parts[1][0], parts[1][1]


def _root(number: int) -> bytes:
    name = tlv(4, b"supportedLDAPVersion")
    values = tlv(0x31, tlv(4, b"3"))
    return tlv(0x30, integer(number), tlv(ENTRY, tlv(4), tlv(0x30, tlv(0x30, name, values))))


def _done(number: int, tag: int, code: int) -> bytes:
    return tlv(0x30, integer(number), tlv(tag, tlv(10, bytes([code])), tlv(4), tlv(4)))
