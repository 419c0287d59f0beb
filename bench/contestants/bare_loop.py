"""The limit: our own bodies straight to the engine's socket, all at once; nothing is proved or written."""

import asyncio
import json
import time
from typing import Any
from urllib.parse import quote

from bench.contestants.bodies import Bodies
from bench.raw_engine import RawEngine, open_raw_engine

_SECONDS = 120
_LEAST_WAIT_SECONDS = 0.02


async def bring_up_and_remove(bodies: Bodies) -> tuple[float, float]:
    """Return the seconds until the last target is healthy, and those until nothing is left."""
    async with open_raw_engine() as engine, asyncio.timeout(_SECONDS):
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


async def _start(engine: RawEngine, body: dict[str, Any]) -> None:
    created = await engine.call("POST", "/containers/create", body)
    await engine.call("POST", f"/containers/{created['Id']}/start")


async def _watch(engine: RawEngine, bodies: Bodies, healthy: asyncio.Event) -> None:
    """Set `healthy` when the engine has reported every target healthy."""
    seen: set[str] = set()
    async for event in engine.events({"label": [bodies.label], "event": ["health_status"]}):
        if event["Action"] == "health_status: healthy":
            seen.add(event["Actor"]["ID"])
        if len(seen) == len(bodies.containers):
            healthy.set()


async def _remove(engine: RawEngine, bodies: Bodies) -> None:
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
