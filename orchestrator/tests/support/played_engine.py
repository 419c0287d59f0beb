"""A server that plays an engine, and the adapter that speaks with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.protocol import ContainerSpec

VERSION = '{"Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24"}'
CONTAINER = "c" * 64
SPEC = ContainerSpec(
    name="dryrun-one",
    image_id="sha256:" + "1" * 64,
    image_name="discovery/test-nginx:1.26",
    network="dryrun-a",
    address="10.213.192.3",
    aliases=("web",),
    labels={},
    environment={"PASSWORD": "hunter2-hunter2"},
)


@dataclass
class Played:
    """A server whose answer the test chooses; `/version` is answered as an engine would."""

    status: int = 200
    body: str = "{}"
    content_type: str = "application/json"
    version: str = VERSION
    pause: float = 0.0
    version_pause: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)
    answered: int = 0
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/version":
            await asyncio.sleep(self.version_pause)
            return web.Response(text=self.version, content_type="application/json")
        self.traces.append(request.headers.get("traceparent"))
        await asyncio.sleep(self.pause)
        self.answered += 1
        return web.Response(
            status=self.status, text=self.body, content_type=self.content_type, headers=self.headers
        )


@asynccontextmanager
async def playing() -> AsyncIterator[Played]:
    """Yield a server on a port of its own."""
    played = Played()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", played.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    played.url = f"tcp://127.0.0.1:{runner.addresses[0][1]}"
    yield played
    await runner.cleanup()


@asynccontextmanager
async def speaking(played: Played) -> AsyncIterator[DockerEngine]:
    """Yield an adapter to that server."""
    engine = DockerEngine(played.url, call_seconds=2)
    yield engine
    await engine.close()


def said(text: str) -> str:
    """Return the body with which an engine explains a status."""
    return f'{{"message": "{text}"}}'
