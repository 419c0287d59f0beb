"""This service is served with its settings' bounds on connections, and its routes keep nobody waiting."""

import asyncio
import json
import time
import tracemalloc
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from approval_api.app import create_app


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
async def test_a_head_that_drips_ends_the_connection(served):
    async with connection(served) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
        ending = asyncio.create_task(ends(reader, 4))
        while not ending.done():
            writer.write(b"X: 1\r\n")
            await asyncio.sleep(0.1)
        assert await ending == b""


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


@pytest.mark.parametrize(
    "served",
    [{"connections_per_address": 4, "trusted_proxies": "127.0.0.0/8", "requests_burst": 100}],
    indirect=True,
)
async def test_behind_a_proxy_requests_at_once_count_by_the_address_it_forwards(served):
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


async def test_a_body_nobody_wanted_does_not_end_the_connection_when_it_is_small(api):
    async with connection(api) as (reader, writer):
        writer.write(
            b"POST /api/v1/production/discoveries HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n"
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
        writer.write(b"x" * 20_000 + b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"HTTP/1.1 200 " in await ends(reader, 5)


async def test_a_body_of_many_lines_is_a_body(api):
    body = json.dumps({"name": "nobody", "password": "x"}, indent=1).encode() + b"\n" * 5_000
    answer = await api.client.post(
        "/api/v1/login", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 401
