"""Connections: how many there may be, how long each may take, and that none keeps others waiting."""

import asyncio
import json
import time
import tracemalloc
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from approval_api.app import create_app
from approval_api.networks import Proxies, network_of


@asynccontextmanager
async def connection(api, source="127.0.0.1"):
    address = urlsplit(str(api.client.base_url))
    reader, writer = await asyncio.open_connection(
        address.hostname, address.port, local_addr=(source, 0), limit=2**20
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ends(reader, seconds):
    """Return what comes until the connection ends; fail when it has not ended in time."""
    async with asyncio.timeout(seconds):
        with suppress(ConnectionResetError):
            return await reader.read()
    return b""


@pytest.fixture
async def served(settings, orchestrator, serving, request):
    """Serve with the settings that the test names."""
    changed = settings.model_copy(update=getattr(request, "param", {}))
    async with serving(create_app(changed, orchestrator_transport=orchestrator)) as api:
        yield api


HASTY = pytest.mark.parametrize("served", [{"head_seconds": 1}], indirect=True)
FEW = pytest.mark.parametrize("served", [{"connections_per_address": 8, "connections": 16}], indirect=True)


@HASTY
@pytest.mark.parametrize("begun", [b"", b"GET /livez HTTP/1.1\r\nHost: a\r\nX: "])
async def test_a_head_that_does_not_come_ends_the_connection(served, begun):
    async with connection(served) as (reader, writer):
        writer.write(begun)
        assert await ends(reader, 4) == b""


@HASTY
async def test_a_head_that_drips_ends_the_connection(served):
    async with connection(served) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
        ending = asyncio.create_task(ends(reader, 4))
        while not ending.done():
            writer.write(b"X: 1\r\n")
            await asyncio.sleep(0.1)
        assert await ending == b""


@HASTY
async def test_a_head_that_drips_after_an_answer_ends_the_connection(served):
    async with connection(served) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b'"alive"}')
        ending = asyncio.create_task(ends(reader, 4))
        while not ending.done():
            writer.write(b"X")
            await asyncio.sleep(0.1)
        assert await ending == b""


async def test_who_does_not_read_is_disconnected(api, monkeypatch):
    monkeypatch.setattr("approval_api.connections.WRITE_SECONDS", 0.5)
    monkeypatch.setattr("approval_api.connections.WRITE_BYTES_PER_SECOND", 2**30)
    async with connection(api) as (reader, writer):
        reader._transport.pause_reading()
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 200)
        async with asyncio.timeout(20):
            while not writer.is_closing():
                # Written to notice the end: nothing is read.
                writer.write(b"\r\n")
                await asyncio.sleep(0.1)


@FEW
async def test_an_address_has_so_many_connections_and_others_have_theirs(served):
    async with AsyncExitStack() as open_connections:
        for _ in range(8):
            await open_connections.enter_async_context(connection(served, "127.0.0.2"))
        for _ in range(40):
            async with connection(served, "127.0.0.2") as (reader, _):
                answer = await ends(reader, 2)
                assert answer.startswith(b"HTTP/1.1 429 ")
                assert b"application/problem+json" in answer
                assert b"urn:dryrun:problem:too-many-connections" in answer
        assert (await served.client.get("/livez")).status_code == 200


@FEW
async def test_who_opens_connections_to_hold_them_makes_room_for_others(served):
    async with AsyncExitStack() as open_connections:
        held = [
            await open_connections.enter_async_context(connection(served, f"127.0.0.{2 + number // 5}"))
            for number in range(16)
        ]
        for _ in range(5):
            async with connection(served) as (reader, writer):
                writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert (await ends(reader, 2)).startswith(b"HTTP/1.1 200 ")
        assert await ends(held[0][0], 2) == b""


@FEW
async def test_a_place_is_free_again_once_a_connection_ended(served):
    for _ in range(40):
        async with connection(served, "127.0.0.2") as (reader, writer):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert (await ends(reader, 2)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "served",
    [{"connections_per_address": 4, "trusted_proxies": "127.0.0.0/8", "requests_burst": 100}],
    indirect=True,
)
async def test_behind_a_proxy_requests_at_once_count_by_the_address_it_tells(served):
    session_id = await served.start()
    head = f"GET /api/v1/dryrun/sessions/{session_id}/events HTTP/1.1\r\nHost: a\r\n"
    token = "Authorization: Bearer a-token-of-the-tests\r\nAccept: text/event-stream\r\n"
    async with AsyncExitStack() as open_connections:
        firsts = []
        for number in range(6):
            reader, writer = await open_connections.enter_async_context(connection(served))
            writer.write(f"{head}{token}X-Forwarded-For: 192.0.2.7\r\n\r\n".encode())
            firsts.append((await reader.readline()).split()[1])
            assert len(firsts) == number + 1
        assert firsts == [b"200"] * 4 + [b"429"] * 2
        other = await served.client.get("/livez", headers={"X-Forwarded-For": "192.0.2.8"})
        assert other.status_code == 200


async def test_pipelined_requests_keep_nobody_waiting(api):
    async with AsyncExitStack() as floods:
        sent = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" * 400

        async def flood():
            with suppress(ConnectionError):
                async with connection(api, "127.0.0.2") as (reader, writer):
                    while True:
                        writer.write(sent)
                        await writer.drain()
                        await reader.read(2**20)

        for task in [asyncio.create_task(flood()) for _ in range(50)]:
            floods.callback(task.cancel)
        await asyncio.sleep(0.5)
        waited = []
        for _ in range(20):
            began = time.monotonic()
            assert (await api.client.get("/livez")).status_code == 200
            waited.append(time.monotonic() - began)
        assert sorted(waited)[-2] < 2


@pytest.mark.parametrize(
    "served", [{"requests_per_second": 100_000.0, "requests_burst": 1_000_000}], indirect=True
)
async def test_of_pipelined_requests_little_more_is_read_than_is_served(served):
    async with connection(served) as (reader, writer):
        requests = b"POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" * 200

        async def send():
            while True:
                writer.write(requests)
                await writer.drain()

        tracemalloc.start()
        sending = asyncio.create_task(send())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    while await reader.read(2**16):
                        pass
            held = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(True, "*/_receivebuffer.py")]
            )
        finally:
            tracemalloc.stop()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        assert sum(trace.size for trace in held.statistics("filename")) < 128 * 1024


async def test_every_pipelined_request_is_answered_in_turn(api):
    async with connection(api) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 49)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await ends(reader, 10)).count(b"HTTP/1.1 200 ") == 50


async def test_a_body_nobody_wanted_does_not_end_the_connection_when_it_is_small(api):
    async with connection(api) as (reader, writer):
        writer.write(
            b"POST /api/v1/production/discoveries HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n"
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
        writer.write(b"x" * 20_000 + b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"HTTP/1.1 200 " in await ends(reader, 5)


@pytest.mark.parametrize(
    "sent", [b"a:\r\n" * 3_000, b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2_500]
)
@pytest.mark.parametrize("pause", [0, 0.3])
async def test_thousands_of_tiny_headers_or_chunks_are_refused_unparsed(api, monkeypatch, sent, pause):
    parsed = []
    monkeypatch.setattr("h11._readers.ChunkedReader.__call__", lambda _, __: parsed.append(1))
    async with connection(api) as (reader, writer):
        writer.write(b"POST /api/v1/login HTTP/1.1\r\nHost: a\r\n" + sent[: 28 if pause else None])
        if pause:
            await asyncio.sleep(pause)
            writer.write(sent[28:])
        assert (await ends(reader, 5)).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 422 "))
    assert len(parsed) <= 1


async def test_a_body_of_many_lines_is_a_body(api):
    body = json.dumps({"name": "nobody", "password": "x"}, indent=1).encode() + b"\n" * 5_000
    answer = await api.client.post(
        "/api/v1/login", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 401


def test_a_subscribers_network_counts_once():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8:0:2::1")
    assert {network_of(odd) for odd in ("", "x" * 100_000, "a:b:c", "1.2.3")} == {"unknown"}


def test_a_list_of_proxies_that_names_nobody_trusts_nobody():
    assert not Proxies("").has("127.0.0.1")
    assert not Proxies("proxy.example").has("proxy.example")
    assert Proxies("*").has("192.0.2.1")
