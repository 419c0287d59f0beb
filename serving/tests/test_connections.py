"""Connections: how many there may be, how long each may take, and that none keeps others waiting."""

import asyncio
import tracemalloc
from contextlib import AsyncExitStack, suppress

import pytest

HASTY = pytest.mark.parametrize("served", [{"head_seconds": 1}], indirect=True)
FEW = pytest.mark.parametrize("served", [{"connections": (16, 8)}], indirect=True)
ALIVE = b"GET /alive HTTP/1.1\r\nHost: a\r\n\r\n"
ALIVE_AND_CLOSE = b"GET /alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@HASTY
@pytest.mark.parametrize("begun", [b"", b"GET /alive HTTP/1.1\r\nHost: a\r\nX: "])
async def test_a_head_that_does_not_come_ends_the_connection(wire, begun):
    assert await wire.ask(begun, seconds=4) == b""


@HASTY
@pytest.mark.parametrize("before", [b"", ALIVE])
async def test_a_head_that_drips_ends_the_connection(wire, before):
    async with wire.open() as (reader, writer):
        if before:
            writer.write(before)
            await reader.readuntil(b"alive")
        writer.write(b"GET /alive HTTP/1.1\r\nHost: a\r\n")
        ending = asyncio.create_task(wire.rest(reader, 4))
        while not ending.done():
            writer.write(b"X: 1\r\n")
            await asyncio.sleep(0.1)
        assert await ending == b""


async def test_who_does_not_read_is_disconnected(wire, monkeypatch):
    monkeypatch.setattr("dryrun_serving.connections.WRITE_SECONDS", 0.5)
    monkeypatch.setattr("dryrun_serving.connections.WRITE_BYTES_PER_SECOND", 2**30)
    async with wire.open() as (reader, writer):
        reader._transport.pause_reading()
        writer.write(b"GET /megabytes HTTP/1.1\r\nHost: a\r\n\r\n" * 10)
        async with asyncio.timeout(20):
            while not writer.is_closing():
                # Written to notice the end: nothing is read.
                writer.write(b"\r\n")
                await asyncio.sleep(0.1)


@FEW
async def test_an_address_has_so_many_connections_and_others_have_theirs(wire):
    async with AsyncExitStack() as open_connections:
        for _ in range(8):
            await open_connections.enter_async_context(wire.open("127.0.0.2"))
        for _ in range(40):
            answer = await wire.ask(source="127.0.0.2", seconds=2)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"application/problem+json" in answer
            assert b"urn:dryrun:problem:too-many-connections" in answer
        assert (await wire.ask(ALIVE_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("served", [{"connections": (16, 8), "trusted_proxies": "127.0.0.2"}], indirect=True)
async def test_a_proxy_has_as_many_connections_as_there_are(wire):
    async with AsyncExitStack() as open_connections:
        for _ in range(14):
            await open_connections.enter_async_context(wire.open("127.0.0.2"))
        assert (await wire.ask(ALIVE_AND_CLOSE, source="127.0.0.2")).startswith(b"HTTP/1.1 200 ")


@FEW
async def test_who_opens_connections_to_hold_them_makes_room_for_others(wire):
    async with AsyncExitStack() as open_connections:
        held = [
            await open_connections.enter_async_context(wire.open(f"127.0.0.{2 + number // 5}"))
            for number in range(16)
        ]
        for _ in range(5):
            assert (await wire.ask(ALIVE_AND_CLOSE, seconds=2)).startswith(b"HTTP/1.1 200 ")
        assert await wire.rest(held[0][0], 2) == b""


@FEW
async def test_when_all_are_served_the_next_one_is_refused(wire, served):
    served.may_answer.clear()
    take = b"POST /take HTTP/1.1\r\nHost: a\r\n\r\n"
    async with AsyncExitStack() as open_connections:
        for number in range(16):
            _, writer = await open_connections.enter_async_context(wire.open(f"127.0.0.{2 + number // 5}"))
            writer.write(take)
        async with asyncio.timeout(5):
            while served.inside < 16:
                await asyncio.sleep(0.01)
        assert (await wire.ask(ALIVE_AND_CLOSE, seconds=2)).startswith(b"HTTP/1.1 503 ")
        served.may_answer.set()


@FEW
async def test_a_place_is_free_again_once_a_connection_ended(wire):
    for _ in range(40):
        assert (await wire.ask(ALIVE_AND_CLOSE, source="127.0.0.2")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("method", [b"GET /alive", b"POST /take"])
async def test_of_pipelined_requests_little_more_is_read_than_is_served(wire, traced, method):
    requests = method + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"

    async def send(writer):
        while True:
            writer.write(requests * 200)
            await writer.drain()

    async with wire.open() as (reader, writer):
        sending = asyncio.create_task(send(writer))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    while await reader.read(2**16):
                        pass
            held = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(True, "*/_receivebuffer.py")]
            )
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    assert sum(trace.size for trace in held.statistics("filename")) < 128 * 1024


async def test_every_pipelined_request_is_answered_in_turn(wire):
    assert (await wire.ask(ALIVE * 49 + ALIVE_AND_CLOSE)).count(b"HTTP/1.1 200 ") == 50


async def test_a_request_behind_another_may_send_its_body_later(wire):
    take = b"POST /take HTTP/1.1\r\nHost: a\r\nX-Name: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    async with wire.open() as (reader, writer):
        writer.write(ALIVE + take + b"12")
        await asyncio.sleep(0.3)
        writer.write(b"345")
        answers = await wire.rest(reader, 5)
    assert answers.count(b"HTTP/1.1 200 ") == 2


async def test_a_body_nobody_wanted_does_not_end_the_connection_when_it_is_small(wire):
    async with wire.open() as (reader, writer):
        writer.write(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        assert (await reader.readuntil(b"alive")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"x" * 20_000 + ALIVE_AND_CLOSE)
        assert b"HTTP/1.1 200 " in await wire.rest(reader, 5)


async def test_a_large_body_nobody_wanted_costs_nobody_the_answer(wire):
    head = b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n"
    async with wire.open() as (reader, writer):
        writer.write(head + b"x" * 2**20)
        assert (await wire.rest(reader, 5)).endswith(b"alive")


@pytest.mark.parametrize(
    "sent", [b"a:\r\n" * 3_000, b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2_500]
)
@pytest.mark.parametrize("pause", [0, 0.3])
async def test_thousands_of_tiny_headers_or_chunks_are_refused_unparsed(wire, monkeypatch, sent, pause):
    parsed = []
    monkeypatch.setattr("h11._readers.ChunkedReader.__call__", lambda _, __: parsed.append(1))
    async with wire.open() as (reader, writer):
        writer.write(b"POST /take HTTP/1.1\r\nHost: a\r\nX-Name: a\r\n" + sent[: 28 if pause else None])
        if pause:
            await asyncio.sleep(pause)
            writer.write(sent[28:])
        assert (await wire.rest(reader, 5)).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 422 "))
    assert len(parsed) <= 1


async def test_a_head_has_a_ceiling(wire):
    answer = await wire.ask(b"GET /alive HTTP/1.1\r\n", *[b"A: " + b"a" * 8000 + b"\r\n"] * 100)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"urn:dryrun:problem:head-too-large" in answer


async def test_answers_that_wait_for_their_readers_are_bounded_together(wire, served, monkeypatch):
    # The kernel takes some 6 MiB of each, so 10 MiB and more wait here.
    size = 16 * 2**20
    monkeypatch.setattr("dryrun_serving.connections.UNSENT_BYTES", 3 * size)
    asked = b"GET /megabytes?16 HTTP/1.1\r\nHost: a\r\n\r\n"
    async with AsyncExitStack() as open_connections:
        held = [await open_connections.enter_async_context(wire.open(f"127.0.0.{2 + n}")) for n in range(8)]
        for reader, writer in held:
            reader._transport.pause_reading()
            writer.write(asked)
        async with asyncio.timeout(30):
            while not 1 <= len(served.connections()) <= 5:
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.5)
        whole = 0
        for reader, _ in held:
            reader._transport.resume_reading()
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                async with asyncio.timeout(5):
                    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                    whole += len(await reader.readexactly(size)) == size
        assert 1 <= whole <= 5
        assert (await wire.ask(ALIVE_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")
