"""A client writes to a collector's standard input where the allowlist says so, and reads nothing back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from guard_stage import LISTEN_ID, SCAN_ID, WEB_ID, Guard, Reply, Words, read_reply

from docker_guard.calls.stream_bounds import Inputs
from docker_guard.refusal import Refusal
from docker_guard.rules.allowlist import AllowlistFile, faults_of
from docker_guard.rules.policy import Policy

QUERY = "stdin=1&stream=1"
UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


@pytest.fixture
def policy() -> Policy:
    return Policy(head_seconds=0.3, body_seconds=0.5, body_bytes=100_000, stalled_seconds=1)


@pytest.fixture
async def listener(guard: Guard) -> str:
    """The id of a running container whose input is open."""
    return await running(guard, LISTEN_ID, OpenStdin=True)


async def running(guard: Guard, image: str, **changes: Any) -> str:
    words = Words()
    await guard.make_session(words)
    made = await guard.make_container(words.container(image, **changes))
    assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 204
    return made


def head(identity: str, query: str = QUERY, headers: str = UPGRADE) -> bytes:
    return f"POST /v1.45/containers/{identity}/attach?{query} HTTP/1.1\r\nHost: d\r\n{headers}\r\n".encode()


async def attach(guard: Guard, identity: str, data: bytes = b"", query: str = QUERY) -> Reply:
    return read_reply(await guard.send(head(identity, query) + data))


@asynccontextmanager
async def attached(guard: Guard, identity: str) -> AsyncIterator[asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    writer.write(head(identity))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    try:
        yield writer
    finally:
        writer.close()


async def arrives(guard: Guard, identity: str, data: bytes) -> None:
    async with asyncio.timeout(5):
        while bytes(guard.engine.inputs.get(identity, b"")) != data:
            await asyncio.sleep(0.01)


async def test_what_a_client_sends_arrives_and_nothing_comes_back(guard: Guard, listener):
    data = b'{"discoveries":[]}\n' + bytes(range(256)) * 300
    reply = await attach(guard, listener, data)
    assert (reply.status, reply.body) == (101, b"")
    await arrives(guard, listener, data)
    (asked,) = [query for _, path, query, _ in guard.engine.asked if path.endswith("/attach")]
    assert asked == {"stdin": "1", "stream": "1"}
    assert guard.decisions[-1]["route"] == "container attach"
    assert guard.log.lines("attempt")[-1]["route"] == "container attach"


@pytest.mark.parametrize(
    "query",
    [
        "stdin=1",
        "stream=1",
        "stdin=0&stream=1",
        f"{QUERY}&stdout=1",
        f"{QUERY}&stderr=true",
        f"{QUERY}&logs=1",
        f"{QUERY}&detachKeys=a",
        f"{QUERY}&x=1",
    ],
)
async def test_refuses_every_other_way_to_attach(guard: Guard, listener, query):
    assert (await attach(guard, listener, query=query)).status == 403
    assert guard.engine.inputs == {}


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Connection: Upgrade\r\n",
        "Upgrade: tcp\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade, close\r\nUpgrade: tcp\r\n",
    ],
)
async def test_refuses_an_attachment_without_the_one_way_to_switch(guard: Guard, listener, headers):
    assert read_reply(await guard.send(head(listener, headers=headers))).status == 400
    assert guard.engine.inputs == {}


@pytest.mark.parametrize(
    "path", ["GET /_ping", "GET /v1.45/containers/json", "POST /v1.45/containers/{}/start"]
)
async def test_no_other_call_takes_over_a_connection(guard: Guard, listener, path):
    request = f"{path.format(listener)} HTTP/1.1\r\nHost: d\r\n{UPGRADE}\r\n".encode()
    assert read_reply(await guard.send(request)).status == 400


@pytest.mark.parametrize("image", [SCAN_ID, WEB_ID, LISTEN_ID])
async def test_refuses_a_container_whose_input_is_not_open(guard: Guard, image):
    identity = await running(guard, image)
    assert (await attach(guard, identity)).status == 403
    assert guard.decisions[-1]["rule"] == "input"


async def test_refuses_an_open_input_that_the_allowlist_no_longer_grants(
    guard: Guard, listener, allowlist_file
):
    allowlist_file.write_text(allowlist_file.read_text().replace('"stdin": true', '"stdin": false'))
    assert (await attach(guard, listener)).status == 403


async def test_refuses_a_container_that_does_not_run(guard: Guard, listener):
    guard.engine.containers[listener]["State"] = "exited"
    assert (await attach(guard, listener)).status == 409


async def test_refuses_a_foreign_container_as_an_absent_one(guard: Guard):
    foreign = guard.engine.add_container({}, Config={"Labels": {}, "OpenStdin": True}, Image=LISTEN_ID)
    for identity in (foreign, "0" * 64):
        assert (await attach(guard, identity)).status == 404


async def test_passes_no_more_than_a_body_may_have(guard: Guard, listener):
    await attach(guard, listener, b"x" * 200_000)
    assert len(guard.engine.inputs[listener]) <= 100_000
    assert "more than 100000 bytes" in guard.log.lines("input-broken")[-1]["reason"]


async def test_ends_an_input_that_takes_too_long(guard: Guard, listener):
    async with attached(guard, listener) as writer:
        writer.write(b"a")
        await arrives(guard, listener, b"a")
        async with asyncio.timeout(5):
            while not guard.log.lines("input-broken"):
                await asyncio.sleep(0.05)
    assert "TimeoutError after 1 bytes" in guard.log.lines("input-broken")[-1]["reason"]


async def test_one_client_writes_to_an_input_at_a_time(guard: Guard, listener):
    async with attached(guard, listener):
        assert (await attach(guard, listener)).status == 503


async def test_an_engine_that_refuses_is_reported(guard: Guard, listener):
    guard.engine.refuse["POST", f"/containers/{listener}/attach"] = (
        409,
        "cannot attach to a paused container",
    )
    reply = await attach(guard, listener)
    assert (reply.status, reply.message) == (409, "cannot attach to a paused container")


@pytest.mark.parametrize("status", [200, 204, 304])
async def test_an_engine_that_hands_over_nothing_is_none_that_took_input(guard: Guard, listener, status):
    guard.engine.refuse["POST", f"/containers/{listener}/attach"] = (status, "a container's own words")
    reply = await attach(guard, listener, b"x" * 1000)
    assert reply.status == 503
    assert b"own words" not in reply.body
    assert guard.decisions[-1]["rule"] == "engine-down"


async def test_what_was_written_is_on_record_with_its_container(guard: Guard, listener):
    await attach(guard, listener, b"x" * 1000)
    await attach(guard, listener, b"x" * 200_000)
    async with asyncio.timeout(5):
        while len(lines := guard.log.lines("input", "input-broken")) < 2:
            await asyncio.sleep(0.01)
    assert [(line["type"], line["objects"]) for line in lines] == [
        ("input", [listener]),
        ("input-broken", [listener]),
    ]
    assert lines[0]["bytes"] == 1000


async def test_a_place_and_a_turn_are_free_again_however_a_client_leaves(guard: Guard, listener):
    for _ in range(3):
        _, writer = await asyncio.open_unix_connection(str(guard.socket))
        writer.write(head(listener) + b"x")
        await writer.drain()
        writer.transport.abort()
    async with asyncio.timeout(5):
        while guard.door.crowd.size:
            await asyncio.sleep(0.01)
    assert guard.door.crowd._streams.total == 0
    assert (await attach(guard, listener, b"y")).status == 101


async def test_nothing_is_written_while_the_audit_log_cannot_be(guard: Guard, listener):
    guard.log.room = 0
    assert (await attach(guard, listener)).status == 503
    assert guard.engine.inputs == {}


def test_a_container_is_written_to_a_few_times():
    inputs = Inputs()
    for _ in range(16):
        with inputs.writing("a"):
            pass
    with pytest.raises(Refusal, match="16 times"), inputs.writing("a"):
        pass
    for other in range(2000):
        with inputs.writing(str(other)):
            pass
    assert len(inputs._counts) <= 1000


def test_no_target_can_be_granted_an_input():
    file = AllowlistFile.model_validate(
        {"images": {"discovery/test-web:1": {"id": f"sha256:{'a' * 64}", "stdin": True}}}
    )
    ((name, row),) = file.images.items()
    assert "only collectors can have standard input" in next(iter(faults_of(name, row, Policy())))
