"""The adapter's streams, logs and events, against a server that counts its bytes and cuts at any of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import EngineUnreachableError, RejectedError
from dryrun_orchestrator.engine.protocol import LogChunk

VERSION = '{"Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24"}'
CONTAINER = "c" * 64


def framed(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4) + data


FRAMES = [framed(1, b"one\n"), framed(2, b"oops\n"), framed(1, b"two\n")]
WHOLE = [LogChunk("stdout", b"one\n"), LogChunk("stderr", b"oops\n"), LogChunk("stdout", b"two\n")]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
CHUNKED = (
    HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"".join(f"{len(frame):x}\r\n".encode() + frame + b"\r\n" for frame in FRAMES)
    + b"0\r\n\r\n"
)
UNFRAMED = HEAD + b"Connection: close\r\n\r\n"


class RawServer:
    """Answers every log or event request with given bytes, and then cuts, or stays silent."""

    def __init__(self, answer: bytes = b"", *, linger: float = 0.0) -> None:
        self.answer = answer
        self.linger = linger
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            if request.startswith(b"GET /version"):
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(VERSION)}\r\n\r\n{VERSION}".encode())
            else:
                writer.write(self.answer)
                await writer.drain()
                await asyncio.sleep(self.linger)
        except ConnectionError:
            return
        finally:
            writer.close()


@pytest.fixture
async def raw() -> AsyncIterator[RawServer]:
    raw = RawServer()
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield raw
        server.close_clients()


async def read(engine: DockerEngine) -> tuple[list[LogChunk], Exception | None]:
    chunks: list[LogChunk] = []
    try:
        async for chunk in engine.read_log(CONTAINER, follow=True):
            chunks.append(chunk)  # noqa: PERF401 - what came before an error is wanted
    except EngineUnreachableError as error:
        return chunks, error
    return chunks, None


async def test_a_log_that_is_cut_anywhere_never_passes_for_whole(raw):
    engine = DockerEngine(raw.url)
    for position in range(len(CHUNKED)):
        raw.answer = CHUNKED[:position]
        chunks, error = await read(engine)
        assert isinstance(error, EngineUnreachableError), position
        assert chunks == WHOLE[: len(chunks)]
    raw.answer = CHUNKED
    assert await read(engine) == (WHOLE, None)
    await engine.close()


async def test_a_log_without_an_end_mark_is_cut_unless_it_ends_between_lines(raw):
    engine = DockerEngine(raw.url)
    body = b"".join(FRAMES)
    ends = {sum(map(len, FRAMES[:count])) for count in range(len(FRAMES) + 1)}
    for position in range(len(body) + 1):
        raw.answer = UNFRAMED + body[:position]
        chunks, error = await read(engine)
        assert (error is None) == (position in ends), position
        assert chunks == WHOLE[: len(chunks)]
    await engine.close()


async def test_a_log_that_is_no_log_is_rejected(raw):
    raw.answer = UNFRAMED + b"<html>this is no log</html>"
    engine = DockerEngine(raw.url)
    with pytest.raises(RejectedError, match="not an engine's: a frame cannot begin with 3c 68"):
        await anext(engine.read_log(CONTAINER, follow=False))
    await engine.close()


async def test_a_log_that_is_quiet_for_too_long_counts_as_cut(raw):
    raw.answer, raw.linger = CHUNKED[:-5], 5
    engine = DockerEngine(raw.url, quiet_seconds=0.2)
    chunks, error = await read(engine)
    assert chunks == WHOLE
    assert isinstance(error, EngineUnreachableError)
    await engine.close()


async def test_a_slow_reader_is_no_quiet_log(raw):
    line = framed(1, b"x" * 16383 + b"\n")
    raw.answer = UNFRAMED + line * 1000
    engine = DockerEngine(raw.url, quiet_seconds=0.2)
    received = 0
    async for chunk in engine.read_log(CONTAINER, follow=True):
        if not received:
            await asyncio.sleep(0.5)
        received += len(chunk.data)
    assert received == 16384 * 1000
    await engine.close()


async def test_a_log_may_take_longer_than_a_call(raw):
    raw.answer, raw.linger = UNFRAMED + FRAMES[0], 0.4
    engine = DockerEngine(raw.url, call_seconds=0.2)
    assert await read(engine) == ([WHOLE[0]], None)
    await engine.close()


EVENTS_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
EVENT = b'{"Type":"container","Action":"die","Actor":{"ID":"c","Attributes":{"a":"1","exitCode":"3"}}}\n'
OTHER = b'{"Type":"image","Action":"tag","Actor":{"ID":"i","Attributes":{}}}\n'


async def test_events_end_with_an_error_whatever_ends_them(raw):
    raw.answer = EVENTS_HEAD + OTHER + b"\n" + EVENT + EVENT[:20]
    engine = DockerEngine(raw.url)
    async with engine.events() as events:
        event = await anext(events)
        assert (event.kind, event.action, event.id, event.labels) == ("container", "die", "c", {"a": "1"})
        with pytest.raises(EngineUnreachableError, match="subscribe, then list again"):
            await anext(events)
    await engine.close()


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b'{"Type":"container"}\n',
        b"x" * 2**21,
        b"[" * 2**19 + b"\n",
        EVENT.replace(b'"c"', b"[5]"),
        EVENT.replace(b'"die"', b"{}"),
        EVENT.replace(b'"1"', b"1"),
    ],
)
async def test_events_that_are_none_are_rejected(raw, line):
    raw.answer = EVENTS_HEAD + line
    engine = DockerEngine(raw.url)
    async with engine.events() as events:
        with pytest.raises(RejectedError, match="not an engine's"):
            await anext(events)
    await engine.close()
