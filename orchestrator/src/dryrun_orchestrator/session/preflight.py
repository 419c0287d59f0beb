"""Asks, before a session makes anything, for the calls that cleanup and scanning will need.

A proxy that refuses one of them must be found out while nothing is there to be left behind. Each call is
made about an object that cannot exist: an engine answers 404, a proxy that lacks a flag 403.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

from dryrun_orchestrator.engine.protocol import Engine, ForbiddenError, NotFoundError
from dryrun_orchestrator.session.context import SessionFailedError

_FLAGS = {
    "start_container": "CONTAINERS=1 and POST=1 (some proxies: ALLOW_START=1)",
    "stop_container": "CONTAINERS=1 and POST=1 (some proxies: ALLOW_STOP=1)",
    "remove_container": "CONTAINERS=1 and DELETE=1",
    "remove_network": "NETWORKS=1 and DELETE=1",
    "read_log": "CONTAINERS=1 (newer proxies: ALLOW_LOGS=1 or LOGS=1)",
    "read_traffic": "CONTAINERS=1 (for /stats)",
    "inspect_container": "CONTAINERS=1",
    "list_containers": "CONTAINERS=1",
    "list_networks": "NETWORKS=1",
    "events": "EVENTS=1",
}
"""Engine call → the switches of Tecnativa's docker-socket-proxy and its kin that let it through."""


async def check_calls_are_allowed(engine: Engine) -> None:
    """Return when every call a session needs passes. Raises SessionFailedError that names call and flag."""
    nothing = secrets.token_hex(32)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "start_container": lambda: engine.start_container(nothing),
        "stop_container": lambda: engine.stop_container(nothing, timedelta(seconds=1)),
        "remove_container": lambda: engine.remove_container(nothing),
        "remove_network": lambda: engine.remove_network(nothing),
        "read_log": lambda: _read_a_log(engine, nothing),
        "read_traffic": lambda: engine.read_traffic(nothing),
        "inspect_container": lambda: engine.inspect_container(nothing),
        "list_containers": lambda: engine.list_containers(f"discovery.dryrun.session_id={nothing}"),
        "list_networks": lambda: engine.list_networks(f"discovery.dryrun.session_id={nothing}"),
        "events": lambda: _subscribe(engine),
    }
    refusals = [
        refusal
        for refusal in await asyncio.gather(*(_refusal(name, call) for name, call in calls.items()))
        if refusal is not None
    ]
    if refusals:
        raise SessionFailedError(
            "the proxy in front of the engine refuses calls that a session needs: " + "; ".join(refusals)
        )


async def _refusal(name: str, call: Callable[[], Awaitable[object]]) -> str | None:
    try:
        await call()
    except NotFoundError:
        return None
    except ForbiddenError as error:
        return f"{error} (switch on {_FLAGS[name]})"
    return None


async def _read_a_log(engine: Engine, container: str) -> None:
    async for _ in engine.read_log(container, follow=False):
        return


async def _subscribe(engine: Engine) -> None:
    async with engine.events():
        return
