import asyncio
import contextlib
import json
import tracemalloc

import pytest
from engine_in_memory.engine import FakeEngine
from stage import Stage, images

from dryrun_orchestrator import main
from dryrun_orchestrator.api import door
from dryrun_orchestrator.app import create_app

TOKEN = b"Authorization: Bearer a-token-of-sixteen\r\n"
CLOSE = b"Connection: close\r\n"
SESSION = b"/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture
async def served(tmp_path, monkeypatch, request):
    """The service behind its own server, on a port, with the bounds that the test names."""
    for (module, name), value in getattr(request, "param", {}).items():
        monkeypatch.setattr(module, name, value)
    async with FakeEngine(images()) as engine:
        stage = Stage(tmp_path, engine)
        stage.changes["listen"] = "127.0.0.1:0"
        stage.write_collectors()
        app = create_app(stage.settings, engine)
        server = main.create_server(stage.settings, app)
        serving = asyncio.create_task(server.serve())
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        stage.port = server.servers[0].sockets[0].getsockname()[1]
        stage.app = app
        try:
            yield stage
        finally:
            server.stop()
            await serving


async def say(served, *pieces, patience=10.0):
    """Send `pieces` as long as they are taken; return all that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        with contextlib.suppress(OSError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        answer = b""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(patience):
                while piece := await reader.read(65_536):
                    answer += piece
        return answer
    finally:
        writer.close()


def head(method=b"PUT", path=SESSION, *headers):
    lines = b"".join((*headers, b"Host: a\r\n", b"X-Actor: a\r\n"))
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, path, lines)


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


async def test_a_hundred_megabytes_without_the_token_are_refused_unread(served):
    tracemalloc.start()
    try:
        answer = await say(
            served, head(b"PUT", SESSION, b"Content-Length: 104857600\r\n"), *[b" " * 524_288] * 200
        )
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert status(answer) == 401
    assert grown < 8 * 2**20


@pytest.mark.parametrize(
    ("headers", "pieces", "expected"),
    [
        ((b"Content-Length: 104857600\r\n",), (), 413),
        ((b"Content-Length: 99999999999999999999\r\n",), (), 413),
        ((b"Transfer-Encoding: chunked\r\n",), (b"8000\r\n", b" " * 0x8000, b"\r\n"), 413),
        ((b"Content-Length: 3000\r\n",), (b"[" * 3000,), 422),
        ((b"Content-Length: 3001\r\n",), (b"[" + b"[]," * 1000,), 422),
    ],
    ids=["long", "longer than any", "chunks without end", "deep", "many values"],
)
async def test_with_the_token_too_a_body_has_bounds(served, headers, pieces, expected):
    answer = await say(served, head(b"PUT", SESSION, TOKEN, *headers), *pieces, patience=3)
    assert status(answer) == expected
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("served", [{(door, "BODY_SECONDS"): 0.2}], indirect=True)
async def test_a_body_that_does_not_come_has_a_deadline(served):
    answer = await say(served, head(b"PUT", SESSION, TOKEN, b"Content-Length: 100\r\n"), patience=3)
    assert status(answer) == 408


@pytest.mark.parametrize("served", [{(door, "BODIES"): 2}], indirect=True)
async def test_the_one_sender_has_all_places_for_bodies(served):
    _, slow = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        slow.write(head(b"PUT", SESSION, TOKEN, b"Content-Length: 100\r\n"))
        await asyncio.sleep(0.2)
        wrong = head(b"PUT", SESSION, TOKEN, b"Content-Length: 3000\r\n")
        assert status(await say(served, wrong, b"[" * 3000, patience=3)) == 422
    finally:
        slow.close()


@pytest.mark.parametrize("served", [{(main, "HEAD_SECONDS"): 0.2}], indirect=True)
@pytest.mark.parametrize(
    "begun", [b"", b"GET /livez HTTP/1.1\r\nHost: a\r\n", b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nG"]
)
async def test_a_head_that_does_not_come_has_a_deadline(served, begun):
    # Looked at once a second.
    async with asyncio.timeout(4):
        await say(served, begun, patience=30)


async def test_a_head_has_a_ceiling(served):
    answer = await say(
        served, b"GET /livez HTTP/1.1\r\n", *[b"A: " + b"a" * 8000 + b"\r\n"] * 100, patience=3
    )
    assert status(answer) in (431, None)


@pytest.mark.parametrize("served", [{(main, "MAX_CONNECTIONS_OF_ADDRESS"): 5}], indirect=True)
async def test_one_neighbour_cannot_take_all_connections(served):
    held = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(5)]
    try:
        assert status(await say(served, head(b"GET", b"/livez"), patience=2)) == 429
    finally:
        for _, writer in held:
            writer.close()
    await asyncio.sleep(0.1)
    answer = await say(served, head(b"GET", b"/livez", CLOSE))
    assert status(answer) == 200


@pytest.mark.parametrize("method", [b"DELETE", b"BREW", b"A" * 4000])
async def test_other_methods_are_refused_and_become_no_label(served, method):
    assert status(await say(served, head(method, SESSION, TOKEN, CLOSE))) == 405
    assert status(await say(served, head(method, b"/livez", CLOSE))) == 405
    page = await say(served, head(b"GET", b"/metrics", CLOSE))
    assert method.lower() not in page.lower()


async def test_strangers_cannot_fill_the_record(served):
    for _ in range(60):
        answer = await say(served, head(b"POST", SESSION + b"/stop", CLOSE))
        assert status(answer) == 401
    lines = (served.folder / "state" / "audit.jsonl").read_text().splitlines()
    assert 20 <= len(lines) <= 25
    assert {json.loads(line)["reason"] for line in lines} == {"unauthorized"}


async def test_a_crowd_that_requests_readiness_costs_the_engine_little(served):
    asked = 0
    ping = served.engine.ping

    async def counted():
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return await ping()

    served.engine.ping = counted
    ready = served.app.state.parts.readiness
    for _ in range(20):
        await asyncio.gather(*(ready.get() for _ in range(20)))
    assert 1 <= asked <= 30


async def test_of_pipelined_requests_little_more_is_read_than_is_served(served):
    requests = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n" * 2000
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    async def send():
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(requests)
                await writer.drain()

    async def read():
        while await reader.read(65_536):
            pass

    tracemalloc.start()
    tasks = [asyncio.create_task(send()), asyncio.create_task(read())]
    try:
        await asyncio.sleep(1.5)
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.transport.abort()
    assert grown < 8 * 2**20


async def test_a_request_behind_another_may_send_its_body_later(served):
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    body = b'{"template":"nothing"}'
    second = head(b"PUT", SESSION, TOKEN, b"Content-Length: %d\r\n" % len(body), CLOSE)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" + second + body[:3])
    await asyncio.sleep(0.3)
    writer.write(body[3:])
    async with asyncio.timeout(5):
        answers = await reader.read(-1)
    writer.close()
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.count(b"HTTP/1.1 ") == 2
