import asyncio

import pytest

from discovery_collectors.collectors.network import mqtt_version
from discovery_collectors.collectors.network.mqtt_version import MqttError, ask_version
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")
TOPIC = b"$SYS/broker/version"
CONNACK, SUBACK = b"\x20\x02\0\0", b"\x90\x03\0\1\0"


def publish(topic: bytes, content: bytes) -> bytes:
    body = len(topic).to_bytes(2) + topic + content
    return b"\x31" + bytes([len(body)]) + body


async def ask(*answers: bytes) -> tuple[tuple[str, str], bytes]:
    received = bytearray()

    async def serve(reader, writer):
        try:
            for answer in answers:
                received.extend(await reader.read(500))
                writer.write(answer)
                await writer.drain()
            received.extend(await reader.read(500))
        except ConnectionError:
            pass
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        reported = await ask_version(ADDRESS, listener.sockets[0].getsockname()[1])
        await asyncio.sleep(0.05)
        return reported, bytes(received)


async def test_a_broker_is_named_by_its_topic_and_no_other_is_requested():
    reported, received = await ask(CONNACK, SUBACK + publish(TOPIC, b"mosquitto version 2.0.21"))
    assert reported == ("mosquitto", "2.0.21")
    assert received.count(b"\x82") == 1
    assert TOPIC in received
    assert received.endswith(b"\xe0\0")


@pytest.mark.parametrize(
    "answers",
    [
        [b"\x20\x02\0\x05"],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        [b"\x20\xff\xff\xff\xff\xff"],
        [b"\x20\xff\xff\x7f" + b"\0" * 5000],
        [CONNACK, SUBACK + publish(b"other", b"canary") * 20],
        [CONNACK, SUBACK + publish(TOPIC, b"\x1b[31m")],
        [b""],
        [CONNACK, SUBACK],
    ],
)
async def test_a_broker_that_does_not_name_itself_stays_unnamed(monkeypatch, answers):
    monkeypatch.setattr(mqtt_version, "ANSWER_SECONDS", 0.5)
    with pytest.raises(MqttError) as reported:
        await ask(*answers)
    assert "canary" not in str(reported.value)
