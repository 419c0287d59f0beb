"""A small application, served on a real socket with the bounds that a test names."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dryrun_contract.bounded_json import JsonBounds
from dryrun_serving.bodies import Bodies, Sender
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.door import Door
from dryrun_serving.refusal import RefusedError
from dryrun_serving.server import create_server

LARGE = 4 * 2**20


class Application:
    """Routes of every kind that bounds are about, and what they have seen."""

    def __init__(self) -> None:
        self.port = 0
        self.inside = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.stopping = asyncio.Event()
        self.connections: Callable[[], tuple[object, ...]] = tuple
        """Those that are open now."""

    def routes(self) -> list[Route]:
        return [
            Route("/alive", self.alive),
            Route("/megabytes", self.megabytes),
            Route("/unread", self.alive, methods=["POST"]),
            Route("/take", self.take, methods=["POST"]),
        ]

    async def alive(self, _: Request) -> Response:
        return PlainTextResponse("alive")

    async def megabytes(self, request: Request) -> Response:
        return PlainTextResponse("m" * int(request.url.query or 4) * 2**20)

    async def take(self, request: Request) -> Response:
        taken = len(await request.body())
        await self.may_answer.wait()
        return JSONResponse(taken)

    @asynccontextmanager
    async def admitted(self, request: Request) -> AsyncIterator[None]:
        if request.url.path == "/closed":
            raise RefusedError("closed", 403, "closed")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def admit_sender(self, request: Request) -> Sender:
        name = request.headers.get("x-name")
        if name is None:
            raise RefusedError("unauthenticated", 401, "send x-name", headers={"Connection": "close"})
        size = LARGE if request.headers.get("x-large") else 64 * 1024
        return Sender(name, JsonBounds(size=size, values=100), most_fields=10)


def answer(_: Request, refusal: RefusedError) -> Response:
    problem = refusal.problem.model_dump(mode="json")
    return JSONResponse(problem, refusal.problem.status, headers=refusal.headers)


@pytest.fixture
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Application]:
    """The application; the parameter names the bounds that differ from the defaults below."""
    asked: dict[str, Any] = getattr(request, "param", {})
    application = Application()
    app = Starlette(
        routes=application.routes(),
        exception_handlers={RefusedError: answer},
    )
    app.add_middleware(
        Bodies,
        admit=application.admit_sender,
        seconds=asked.get("body_seconds", 5),
        small=Ceiling(*asked.get("small", (8, 4))),
        large=Ceiling(*asked.get("large", (2, 1))),
    )
    app.add_middleware(Door, admitted=application.admitted, answer=answer)
    server = create_server(
        app,
        ("127.0.0.1", 0),
        connections=Ceiling(*asked.get("connections", (256, 128))),
        head_seconds=asked.get("head_seconds", 20),
        begin_stop=application.stopping.set,
        trusted_proxies=asked.get("trusted_proxies", ""),
    )
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0.005)
    application.connections = lambda: tuple(server._connections._connections)
    application.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield application
    finally:
        application.may_answer.set()
        server.stop()
        async with asyncio.timeout(10):
            await running
    assert application.stopping.is_set()
    assert application.inside == 0


class Wire:
    """Connections to the application, byte by byte."""

    def __init__(self, served: Application) -> None:
        self.served = served

    @asynccontextmanager
    async def open(
        self, source: str = "127.0.0.1"
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.served.port, local_addr=(source, 0), limit=2**20
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def ask(self, *pieces: bytes, source: str = "127.0.0.1", seconds: float = 10) -> bytes:
        """Send `pieces`; return all that comes until the connection ends."""
        async with self.open(source) as (reader, writer):
            for piece in pieces:
                writer.write(piece)
            return await self.rest(reader, seconds)

    async def rest(self, reader: asyncio.StreamReader, seconds: float) -> bytes:
        """Return what comes until the connection ends; fail when it has not ended in time."""
        async with asyncio.timeout(seconds):
            with suppress(ConnectionResetError):
                return await reader.read()
        return b""


@pytest.fixture
def wire(served: Application) -> Wire:
    return Wire(served)


@pytest.fixture
def traced() -> Iterator[None]:
    """Count what Python allocates while a test runs."""
    tracemalloc.start()
    yield
    tracemalloc.stop()
