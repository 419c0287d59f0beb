"""Asks an AMQP 0-9-1 broker what it is: it introduces itself before any client logs in."""

import asyncio
import struct

from discovery_collectors.running.scope import ScopedAddress

ANSWER_SECONDS = 4
_HEADER = b"AMQP\0\0\x09\x01"
_FRAME_BYTES = 64 * 1024
_METHOD_FRAME = 1
_CONNECTION_START = struct.pack("!HH", 10, 10)
_TEXT_CHARACTERS = 100
_SIZES = {
    ord("t"): 1,
    ord("b"): 1,
    ord("B"): 1,
    ord("U"): 2,
    ord("u"): 2,
    ord("I"): 4,
    ord("i"): 4,
    ord("L"): 8,
    ord("l"): 8,
    ord("f"): 4,
    ord("d"): 8,
    ord("D"): 5,
    ord("T"): 8,
    ord("V"): 0,
}
"""Field types of fixed size, by their letter, as RabbitMQ uses them."""


class AmqpError(RuntimeError):
    """It is not an AMQP 0-9-1 broker, or does not name itself."""


async def ask_version(address: ScopedAddress, port: int) -> tuple[str, str]:
    """Send the protocol's header, read the properties that the broker sends, and leave without a login.

    Returns product and version. Raises AmqpError.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(_HEADER)
                kind, _, size = struct.unpack("!BHI", await reader.readexactly(7))
                if kind != _METHOD_FRAME or size > _FRAME_BYTES:
                    raise AmqpError("it does not answer as AMQP 0-9-1 does")
                properties = read_start(await reader.readexactly(size))
            finally:
                writer.close()
    except TimeoutError:
        raise AmqpError(f"no answer within {ANSWER_SECONDS} s") from None
    except (OSError, EOFError) as error:
        raise AmqpError(f"no answer in AMQP: {error}") from error
    product = properties.get("product", "")
    if not product:
        raise AmqpError("it does not name itself")
    return product, properties.get("version", "")


def read_start(method: bytes) -> dict[str, str]:
    """Return the texts among the server's properties. Raises AmqpError."""
    try:
        if method[:4] != _CONNECTION_START:
            raise AmqpError("it does not begin as AMQP 0-9-1 does")
        size = struct.unpack_from("!I", method, 6)[0]
        return _read_table(method[10 : 10 + size])
    except (struct.error, IndexError):
        raise AmqpError("its properties are cut") from None


def _read_table(table: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    while place < len(table):
        end = place + 1 + table[place]
        name = table[place + 1 : end].decode("utf-8", "replace")
        kind = table[end]
        place = end + 1
        if kind in _SIZES:
            place += _SIZES[kind]
            continue
        if kind not in b"SFAx":
            raise AmqpError("a property of an unknown type")
        size = struct.unpack_from("!I", table, place)[0]
        if kind == ord("S"):
            found[name] = table[place + 4 : place + 4 + size].decode("utf-8", "replace")[:_TEXT_CHARACTERS]
        place += 4 + size
    return found
