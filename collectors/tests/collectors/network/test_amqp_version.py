import asyncio
import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.network import amqp_version
from discovery_collectors.collectors.network.amqp_version import AmqpError, ask_version, read_start
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


def long_text(value: bytes) -> bytes:
    return struct.pack("!I", len(value)) + value


def start(*properties: tuple[bytes, bytes]) -> bytes:
    table = b"".join(bytes([len(name)]) + name + value for name, value in properties)
    return struct.pack("!HHBB", 10, 10, 0, 9) + long_text(table) + long_text(b"PLAIN") + long_text(b"en_US")


def frame(method: bytes) -> bytes:
    return struct.pack("!BHI", 1, 0, len(method)) + method + b"\xce"


RABBIT = start(
    (b"capabilities", b"F" + long_text(b"\x05basict\x01")),
    (b"product", b"S" + long_text(b"RabbitMQ")),
    (b"ready", b"t\x01"),
    (b"version", b"S" + long_text(b"4.0.5")),
)


async def ask(answer: bytes) -> tuple[tuple[str, str], bytes]:
    received = bytearray()

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            received.extend(await reader.read(500))
            writer.write(answer)
            await writer.drain()
            received.extend(await reader.read(500))
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        reported = await ask_version(ADDRESS, listener.sockets[0].getsockname()[1])
        return reported, bytes(received)


async def test_a_broker_is_named_by_its_first_message_and_gets_no_login():
    assert await ask(frame(RABBIT)) == (("RabbitMQ", "4.0.5"), b"AMQP\0\0\x09\x01")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"AMQP\0\0\x09\x01",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack("!BHI", 1, 0, 2**31),
        frame(start()),
        frame(RABBIT[:30]),
        frame(start((b"x", b"?"))),
    ],
)
async def test_a_broker_that_does_not_name_itself_stays_unnamed(monkeypatch, answer):
    monkeypatch.setattr(amqp_version, "ANSWER_SECONDS", 0.5)
    with pytest.raises(AmqpError):
        await ask(answer)


@given(st.binary(max_size=120))
def test_any_first_message_is_read_or_refused(content):
    with contextlib.suppress(AmqpError):
        read_start(struct.pack("!HHBB", 10, 10, 0, 9) + long_text(content))
