"""Finds the network of a session, on this engine or where the fleet's overlays are made.

A worker's engine knows an overlay only while a container of its own is on it. Before the first one, nothing
on that host can tell whose network a name or an id stands for. So the guard of a worker asks the guard of the
manager, gets the network's id with its labels, and creates containers on that id: a name decides nothing.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from docker_guard import labels
from docker_guard.deadlines import Deadlines
from docker_guard.engine import Engine
from docker_guard.network_rules import SessionNetwork, session_network
from docker_guard.policy import Policy
from docker_guard.refusal import EngineDownError, Refusal

_ALLOCATION_SECONDS = 4.0


class SessionNetworks:
    """The networks of sessions, looked up once for all requests that wait for the same one."""

    def __init__(
        self, engine: Engine, policy: Policy, deadlines: Deadlines, manager: Engine | None = None
    ) -> None:
        """Take the guard of the fleet's manager, for a worker."""
        self._engine = engine
        self._policy = policy
        self._deadlines = deadlines
        self._manager = manager
        self._looking = asyncio.Lock()
        self._last: tuple[float, SessionNetwork] | None = None

    async def of(self, session_id: str) -> SessionNetwork:
        """Return a session's network if its deadline has not passed. Raises Refusal."""
        arrived = time.monotonic()
        async with in_turn(self._looking, self._policy.engine_seconds):
            began, network = self._last or (-math.inf, None)
            if network is None or network.session_id != session_id or began <= arrived:
                began = time.monotonic()
                network = await self._look(session_id)
                self._last = began, network
        self.check_in_time(network)
        return network

    def check_in_time(self, network: SessionNetwork) -> None:
        """Raise Refusal when the deadline of a network's session has passed."""
        if self._deadlines.is_over(network.session_id):
            raise Refusal("deadline", f"session {network.session_id} is past its deadline")

    async def until_allocated(self, network_id: str) -> None:
        """Return once the swarm has given an overlay its subnet. Raises Refusal, and removes it, if not.

        It answers a create before it looks: also for a subnet that another overlay has.
        """
        pause, end = 0.01, time.monotonic() + _ALLOCATION_SECONDS
        while time.monotonic() < end:
            reply = await self._engine.call("GET", f"/networks/{network_id}")
            if reply.status == 200 and reply.json().get("Driver") == "overlay":
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.2)
        await self._engine.call("DELETE", f"/networks/{network_id}")
        raise Refusal("engine", "Pool overlaps with other one on this address space", 403)

    async def _look(self, session_id: str) -> SessionNetwork:
        label = f"{labels.SESSION_ID}={session_id}"
        listed = await self._engine.listed("/networks", label)
        if not listed and self._manager is not None:
            listed = await self._overlays(self._manager, label)
        if len(listed) != 1:
            raise Refusal(
                "session", f"there is no network {labels.network_name(session_id)}, or more than one"
            )
        network = session_network(listed[0], session_id, self._policy)
        self._deadlines.observe(session_id, network.labels.get(labels.EXPIRES_AT))
        return network

    async def _overlays(self, manager: Engine, label: str) -> list[dict[str, Any]]:
        """Return what the manager lists, for the first container of a session on this host."""
        await check_limits(self._engine)
        try:
            listed = await manager.listed("/networks", label)
        except EngineDownError as error:
            raise EngineDownError(f"the guard of the fleet's manager: {error}", may_land=False) from error
        # The manager's host has bridges too; none of them reaches this one.
        return [each for each in listed if each.get("Driver") == "overlay"]


async def check_limits(engine: Engine) -> None:
    """Raise Refusal when an engine accepts limits of containers without enforcing them."""
    if unenforced := await engine.unenforced_limits():
        raise Refusal(
            "limits",
            f"this engine does not enforce limits of {', '.join(unenforced)} (docker info shows it); "
            "a rootless engine needs cgroup v2 with delegation",
        )


@asynccontextmanager
async def in_turn(lock: asyncio.Lock, seconds: float) -> AsyncGenerator[None]:
    """Hold a lock. Raises Refusal when the wait for it takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await lock.acquire()
    except TimeoutError:
        raise Refusal("crowd", "too many requests wait for a place; try again", 503) from None
    try:
        yield
    finally:
        lock.release()
