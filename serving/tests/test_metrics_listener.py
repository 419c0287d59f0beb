"""What a neighbour on the metrics' network can get of a service, and what it cannot."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from dryrun_serving import metrics_listener
from dryrun_serving.metrics_listener import MAX_HEAD_BYTES, MOST_CONNECTIONS, serving_metrics

PAGE = b"things_total 3\n" * 10_000


async def page() -> bytes:
    return PAGE


async def ask(place: tuple[str, int], raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*place)
    try:
        writer.write(raw)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.fixture
async def place():
    async with serving_metrics("127.0.0.1:0", page) as place:
        assert place is not None
        yield place


async def test_shows_the_page_and_closes(place):
    head, _, body = (await ask(place, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert body == PAGE


@pytest.mark.parametrize(
    "line",
    [
        b"GET /",
        b"GET /sessions",
        b"GET /metrics/..",
        b"GET /readyz",
        b"PUT /metrics",
        b"GET  /metrics",
        b"\0",
    ],
)
async def test_serves_nothing_else(place, line):
    answer = await ask(place, line + b" HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith(b"\r\n\r\n")


async def test_reads_no_long_head_and_no_second_request(place):
    assert await ask(place, b"GET /metrics HTTP/1.1\r\n" + b"x" * 4 * MAX_HEAD_BYTES) == b""
    twice = await ask(place, b"GET /metrics HTTP/1.1\r\n\r\n" * 2)
    assert twice.count(b"HTTP/1.1") <= 1


async def test_silent_clients_hold_few_connections_for_a_bounded_time(place, monkeypatch):
    monkeypatch.setattr(metrics_listener, "SECONDS", 0.5)
    async with AsyncExitStack() as exits:
        for _ in range(50):
            _, writer = await asyncio.open_connection(*place)
            exits.callback(writer.close)
        await asyncio.sleep(0.1)
        assert await ask(place, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
        await asyncio.sleep(0.6)
        assert (await ask(place, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(PAGE)
    assert MOST_CONNECTIONS == 8


async def test_nothing_listens_without_an_address():
    async with serving_metrics(None, page) as place:
        assert place is None
