"""A wire between the orchestrator and the engine that a test may cut, or stop at one call of its choice."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dryrun_local.machine.engine_view import DEFAULT_HOST


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the orchestrator made it; `path` is without the API version and the query."""

    method: str
    path: str
    body: str


type Answered = Callable[[Call, bytes], Awaitable[None]]
type Rewritten = Callable[[Call], str]


class EngineProxy:
    """Forwards each connection's one request; the orchestrator opens a connection per call."""

    def __init__(self, engine_socket: str, own_socket: Path) -> None:
        self._engine_socket = engine_socket
        # A socket's file, as a port that is given up for a while may be another's when it is wanted again.
        self._own_socket = own_socket
        self._server: asyncio.Server | None = None
        self._is_cut = True
        self.on_answer: Answered | None = None
        """Called when the engine has answered a call and before the orchestrator knows."""
        self.rewrite: Rewritten | None = None
        """Returns the body that the engine gets in place of a call's own, of the same length."""
        self._serving: set[asyncio.Task[Any]] = set()

    @property
    def docker_host(self) -> str:
        return f"unix://{self._own_socket}"

    async def mend(self) -> None:
        """Let calls through, again at the same address."""
        self._is_cut = False
        if self._server is None:
            self._server = await asyncio.start_unix_server(self._serve, self._own_socket)

    async def cut(self) -> None:
        """Break every connection and take no more, as an engine that went down."""
        self._is_cut = True
        server, self._server = self._server, None
        if server is not None:
            server.close()
            server.abort_clients()
        # A call may itself be what cuts.
        others = self._serving - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if server is not None:
            # One that was being accepted meanwhile is served, and hung up on, only now.
            async with asyncio.timeout(10):
                await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            # One that came in while the wire was cut gets no answer either.
            if not self._is_cut:
                with contextlib.suppress(OSError, EOFError):
                    await self._forward(reader, writer)
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = lines[0].split(" ")
        path = target.partition("?")[0]
        if path.startswith("/v1."):
            path = path[path.index("/", 1) :]
        call = Call(method, path, body.decode())
        if self.rewrite is not None:
            rewritten = self.rewrite(call).encode()
            assert len(rewritten) == len(body), "its head says how long it is"
            body = rewritten
        from_engine, to_engine = await asyncio.open_unix_connection(self._engine_socket)
        to_engine.write(head + body)
        # A container's input follows the head; of other calls nothing does.
        takes_input = call.path.endswith("/attach")
        gone = asyncio.create_task(_pass_on(reader, to_engine) if takes_input else reader.read())
        if takes_input or call.method == "GET":
            # Who asked has hung up: so do we, and the engine ends what it follows. What changes something is
            # done all the same, and the test learns of it.
            gone.add_done_callback(lambda _: to_engine.close())
        try:
            said = await from_engine.read(65536)
            if self.on_answer is not None:
                await self.on_answer(call, said)
            while said:
                writer.write(said)
                await writer.drain()
                said = await from_engine.read(65536)
        finally:
            gone.cancel()
            to_engine.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    while said := await reader.read(65536):
        writer.write(said)
        await writer.drain()
    return b""


@asynccontextmanager
async def open_engine_proxy(own_socket: Path) -> AsyncIterator[EngineProxy]:
    """Put a proxy before the engine, reached by the socket file `own_socket`."""
    scheme, _, path = os.environ.get("DOCKER_HOST", DEFAULT_HOST).partition("://")
    assert scheme == "unix", "these tests put themselves before an engine's Unix socket"
    proxy = EngineProxy(path, own_socket)
    await proxy.mend()
    try:
        yield proxy
    finally:
        proxy.on_answer = None
        await proxy.cut()
