"""Asks an MQTT broker (3.1.1, OASIS standard) what it is, by the topic `$SYS/broker/version`."""

import asyncio
import re
import secrets
import struct

from discovery_collectors.running.scope import ScopedAddress

ANSWER_SECONDS = 4
_TOPIC = b"$SYS/broker/version"
_PACKET_BYTES = 4096
_PACKETS = 8
_CONNACK, _PUBLISH, _SUBACK = 2, 3, 9
_VERSION = re.compile(r"(?P<product>[A-Za-z][\w ]{0,30}?)(?: version)? (?P<version>\d[\w.-]{0,30})")


class MqttError(RuntimeError):
    """The broker refuses anonymous clients, does not name itself, or is not one; the text says which."""


async def ask_version(address: ScopedAddress, port: int) -> tuple[str, str]:
    """Connect anonymously, subscribe to that one topic, and leave. Returns product and version.

    No other client's message is received. Raises MqttError.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(_packet(0x10, _text(b"MQTT") + b"\x04\x02\x00\x0a" + _text(_own_name())))
                if (await _read(reader, _CONNACK))[1:2] != b"\0":
                    raise MqttError("it refuses anonymous clients")
                writer.write(_packet(0x82, b"\0\1" + _text(_TOPIC) + b"\0"))
                banner = await _read_topic(reader)
                writer.write(_packet(0xE0, b""))
                await writer.drain()
            finally:
                writer.close()
    except TimeoutError:
        raise MqttError("it does not name itself") from None
    except (OSError, EOFError, struct.error) as error:
        raise MqttError(f"no answer in MQTT: {error}") from error
    found = _VERSION.match(banner)
    if found is None:
        raise MqttError("its version has an unknown form")
    return found["product"].strip(), found["version"]


def _own_name() -> bytes:
    return b"discovery-" + secrets.token_hex(4).encode("ascii")


def _text(content: bytes) -> bytes:
    return struct.pack("!H", len(content)) + content


def _packet(head: int, content: bytes) -> bytes:
    # One byte of length is enough for these packets.
    return bytes([head, len(content)]) + content


async def _read_topic(reader: asyncio.StreamReader) -> str:
    for _ in range(_PACKETS):
        content = await _read(reader, _PUBLISH, _SUBACK)
        size = struct.unpack_from("!H", content)[0]
        if content[2 : 2 + size] == _TOPIC:
            return content[2 + size :].decode("utf-8", "replace")
    raise MqttError("it does not name itself")


async def _read(reader: asyncio.StreamReader, *kinds: int) -> bytes:
    """Return the content of the next packet, which is of one of `kinds`."""
    head = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift > 21:
            raise MqttError("a malformed length")
    if head >> 4 not in kinds or size > _PACKET_BYTES:
        raise MqttError("it does not answer as MQTT does")
    return await reader.readexactly(size)
