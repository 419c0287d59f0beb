"""Input for a container goes over a connection that the engine hands over, or the error says why not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import (
    EngineUnreachableError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
)

IDENTITY = "0123456789ab"
SWITCH = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
VERSION = json.dumps({"Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24"}).encode()
type Answer = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def engine_that(answer: Answer, folder: Path, **settings: float) -> AsyncIterator[DockerEngine]:
    """Serve what `answer` does with a call to attach."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/version" in head:
            size = str(len(VERSION)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + size)
            writer.write(b"\r\n\r\n" + VERSION)
        else:
            await answer(head, reader, writer)
        writer.close()

    path = folder / "engine.sock"
    server = await asyncio.start_unix_server(serve, str(path))
    engine = DockerEngine(f"unix://{path}", **settings)
    try:
        yield engine
    finally:
        await engine.close()
        server.close()


def says(raw: bytes) -> Answer:
    async def answer(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return answer


async def test_sends_everything_after_the_switch_and_closes(tmp_path):
    heads, got = [], asyncio.get_running_loop().create_future()

    async def take(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(SWITCH)
        got.set_result(await reader.read())

    data = b"\n" + b"word " * 200_000 + b"\n"
    async with engine_that(take, tmp_path) as engine:
        await engine.send_input(IDENTITY, data)
        assert await got == data
    (head,) = heads
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST /v1.45/containers/{IDENTITY}/attach?stdin=1&stream=1 HTTP/1.1"
    assert {"Connection: Upgrade", "Upgrade: tcp"} <= set(lines)


@pytest.mark.parametrize(
    ("raw", "error", "says_why"),
    [
        (
            b'HTTP/1.1 403 Forbidden\r\n\r\n{"message": "docker-guard: no input (rule input)"}',
            ForbiddenError,
            "input",
        ),
        (b"HTTP/1.0 403 Forbidden\r\n\r\n<html>", ForbiddenError, "CONTAINERS=1 and POST=1"),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nNo such: x",
            NotFoundError,
            "No such: x",
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", EngineUnreachableError, "502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", EngineUnreachableError, "no answer in HTTP"),
        (b"HTTP/1.1 101", EngineUnreachableError, "no answer in HTTP"),
        (b"x" * 40_000, EngineUnreachableError, "no answer in HTTP"),
        (b"", EngineUnreachableError, "no answer in HTTP"),
    ],
)
async def test_another_answer_is_an_error_that_says_which(tmp_path, raw, error, says_why):
    async with engine_that(says(raw), tmp_path) as engine:
        with pytest.raises(error, match=says_why):
            await engine.send_input(IDENTITY, b"x")


async def test_a_proxy_that_drops_the_wish_to_switch_is_not_waited_for(tmp_path):
    async def stay(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
        await reader.read()

    async with engine_that(stay, tmp_path, call_seconds=1) as engine:
        with pytest.raises(RejectedError, match="answered 200"):
            await engine.send_input(IDENTITY, b"x")


async def test_an_engine_that_does_not_read_is_given_up(tmp_path):
    async def hold(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCH)
        reader._transport.pause_reading()
        await asyncio.sleep(3)

    async with engine_that(hold, tmp_path, call_seconds=0.3) as engine:
        with pytest.raises(EngineUnreachableError, match=r"no answer within 0\.3 s"):
            await engine.send_input(IDENTITY, b"x" * 2_000_000)
