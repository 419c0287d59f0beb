"""The engine's socket itself, and what the engine says that it did: the same words whoever asked for it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from dryrun_local.machine.engine_view import DEFAULT_HOST

_SECONDS = 120
_ACTIONS = ("create", "start", "health_status", "kill", "die", "destroy")


class RawEngine:
    """Requests to the engine, without a guard."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def call(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """Return the answer; None for what is not there, if it may be `missing`. Raises RuntimeError."""
        async with self.http.request(method, f"http://docker/v1.44{path}", json=body) as answer:
            content = await answer.read()
            if answer.status == 404 and missing:
                return None
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
            return json.loads(content) if content else None

    async def events(self, filters: Mapping[str, list[str]]) -> AsyncIterator[Any]:
        """Yield the engine's events from now on."""
        url = f"http://docker/v1.44/events?filters={quote(json.dumps(filters))}"
        async with self.http.get(url, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for line in answer.content:
                yield json.loads(line)


@asynccontextmanager
async def open_raw_engine() -> AsyncIterator[RawEngine]:
    """Connect to the engine's socket for the time of the block."""
    path = (os.environ.get("DOCKER_HOST") or DEFAULT_HOST).removeprefix("unix://")
    connector = aiohttp.UnixConnector(path=path, limit=0)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield RawEngine(http)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that the engine did."""

    at: float
    """Seconds since the epoch."""
    kind: str
    """`container` or `network`."""
    action: str
    attributes: Mapping[str, str]
    """A name, and a container's labels."""


@asynccontextmanager
async def watched_engine() -> AsyncIterator[list[Act]]:
    """Yield a list that grows by what the engine does to containers and networks during the block."""
    seen: list[Act] = []
    async with open_raw_engine() as engine:
        watch = asyncio.create_task(_watch(engine, seen))
        try:
            yield seen
        finally:
            watch.cancel()
            # One that broke off raises: what it did not see would look like nothing.
            with suppress(asyncio.CancelledError):
                await watch


async def _watch(engine: RawEngine, seen: list[Act]) -> None:
    async for event in engine.events({"type": ["container", "network"], "event": list(_ACTIONS)}):
        actor = event["Actor"]
        seen.append(Act(event["timeNano"] / 1e9, event["Type"], event["Action"], actor["Attributes"]))
    raise ConnectionError("the engine ended its stream of events")
