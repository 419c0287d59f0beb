"""The limit: our own bodies straight to the engine's socket, all at once; nothing is proved or written."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp

from bench.contestants.bodies import Bodies
from dryrun_local.machine.engine_view import DEFAULT_HOST

_SECONDS = 120
_LEAST_WAIT_SECONDS = 0.02


async def bring_up_and_remove(bodies: Bodies) -> tuple[float, float]:
    """Return the seconds until the last target is healthy, and those until nothing is left."""
    async with _engine() as engine, asyncio.timeout(_SECONDS):
        begin = time.monotonic()
        try:
            healthy = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_watch(engine, bodies, healthy))
                await engine.call("POST", "/networks/create", bodies.network)
                starts = [group.create_task(_start(engine, body)) for body in bodies.containers.values()]
                await asyncio.gather(*starts)
                await healthy.wait()
                watch.cancel()
            up = time.monotonic() - begin
        finally:
            begin = time.monotonic()
            await _remove(engine, bodies)
        return up, time.monotonic() - begin


class _Engine:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def call(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        async with self.http.request(method, f"http://docker/v1.44{path}", json=body) as answer:
            content = await answer.read()
            if answer.status == 404 and missing:
                return None
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
            return json.loads(content) if content else None


@asynccontextmanager
async def _engine() -> AsyncIterator[_Engine]:
    path = (os.environ.get("DOCKER_HOST") or DEFAULT_HOST).removeprefix("unix://")
    connector = aiohttp.UnixConnector(path=path, limit=0)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield _Engine(http)


async def _start(engine: _Engine, body: dict[str, Any]) -> None:
    created = await engine.call("POST", "/containers/create", body)
    await engine.call("POST", f"/containers/{created['Id']}/start")


async def _watch(engine: _Engine, bodies: Bodies, healthy: asyncio.Event) -> None:
    """Set `healthy` when the engine has reported every target healthy."""
    filters = {"label": [bodies.label], "event": ["health_status"]}
    seen: set[str] = set()
    url = f"http://docker/v1.44/events?filters={quote(json.dumps(filters))}"
    async with engine.http.get(url) as answer:
        async for line in answer.content:
            event = json.loads(line)
            if event["Action"] == "health_status: healthy":
                seen.add(event["Actor"]["ID"])
            if len(seen) == len(bodies.containers):
                healthy.set()


async def _remove(engine: _Engine, bodies: Bodies) -> None:
    filters = quote(json.dumps({"label": [bodies.label]}))
    found = await engine.call("GET", f"/containers/json?all=1&filters={filters}")
    await asyncio.gather(
        *(engine.call("DELETE", f"/containers/{each['Id']}?force=1&v=1", missing=True) for each in found)
    )
    for network in await engine.call("GET", f"/networks?filters={filters}"):
        while True:
            try:
                await engine.call("DELETE", f"/networks/{network['Id']}", missing=True)
                break
            except RuntimeError as error:
                # A moment after its last container went, a network may still have endpoints.
                if "active endpoints" not in str(error):
                    raise
                await asyncio.sleep(_LEAST_WAIT_SECONDS)
