"""The orchestrator in memory, served over a socket for API processes of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from fake_orchestrator import FakeOrchestrator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@asynccontextmanager
async def served(fake: FakeOrchestrator) -> AsyncIterator[str]:
    """Serve `fake` until the block ends; yields its address."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        asked = httpx2.Request(request.method, str(request.url), headers=request.headers.raw, content=body)
        answer = await fake.handle_async_request(asked)
        return Response(await answer.aread(), answer.status_code, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the orchestrator did not start"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        fake.wake()  # an open long poll would be waited for
        await running
