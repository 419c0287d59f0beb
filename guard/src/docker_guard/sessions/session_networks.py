"""Finds the network of a session, on this engine or where the fleet's overlays are made.

A worker's engine knows an overlay only while a container of its own is on it. Before the first one, nothing
on that host knows whose network a name or an id stands for. So the guard of a worker asks those of the
managers, gets the network's id with its labels, and creates containers on that id: a name decides nothing.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from docker_guard.engine.asked_once import AskedOnce
from docker_guard.engine.client import Engine
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.rules import labels
from docker_guard.rules.network_rules import SessionNetwork, session_network
from docker_guard.rules.policy import Policy
from docker_guard.sessions.deadlines import Deadlines

_ALLOCATION_SECONDS = 4.0
_MANAGERS_SECONDS = 5.0
_NO_ANSWER = (ValueError, TypeError, AttributeError, LookupError)
"""Raised for an answer in another form than an engine's."""


class SessionNetworks:
    """The networks of sessions, known here or to the guards of the fleet's managers."""

    def __init__(
        self, engine: Engine, policy: Policy, deadlines: Deadlines, managers: Sequence[Engine] = ()
    ) -> None:
        """Take the guards of the fleet's managers, for a worker."""
        self._engine = engine
        self._policy = policy
        self._deadlines = deadlines
        self._managers = tuple(managers)
        self._here = AskedOnce(self._look_here, policy.engine_seconds)
        # Apart: managers that hang hold up nobody whose network this engine knows.
        self._there = AskedOnce(self._look_there, policy.engine_seconds)

    async def of(self, session_id: str) -> SessionNetwork:
        """Return a session's network if its deadline has not passed. Raises Refusal."""
        network = await self._here.of(session_id)
        if network is None and self._managers:
            network = await self._there.of(session_id)
        if network is None:
            raise Refusal("session", f"there is no network {labels.network_name(session_id)}")
        self._deadlines.observe(session_id, network.labels.get(labels.EXPIRES_AT))
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

    async def _look_here(self, session_id: str) -> SessionNetwork | None:
        listed = await self._engine.listed("/networks", _label(session_id))
        if not listed and self._policy.makes_overlays:
            async with self._engine.under_a_leader():
                listed = await self._engine.listed("/networks", _label(session_id))
        return self._only(listed, session_id)

    async def _look_there(self, session_id: str) -> SessionNetwork | None:
        """Return what a manager lists, for the first container of a session on this host.

        All are asked at once, and the first that knows the network is believed. One that knows none may have
        left the swarm, so the others are waited for. Raises EngineDownError when that leaves it unknown.
        """
        await check_limits(self._engine)
        asked = [
            asyncio.create_task(manager.listed("/networks", _label(session_id), driver="overlay"))
            for manager in self._managers
        ]
        why: Exception | None = None
        try:
            async with asyncio.timeout(_MANAGERS_SECONDS):
                for answer in asyncio.as_completed(asked):
                    try:
                        listed = await answer
                    except (EngineDownError, *_NO_ANSWER) as error:
                        why = error
                        continue
                    # A manager's host has bridges too; none of them reaches this one.
                    overlays = [each for each in listed if each.get("Driver") == "overlay"]
                    if overlays:
                        return self._only(overlays, session_id)
        except TimeoutError as error:
            why = error
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        if why is not None:
            said = str(why) or f"no answer within {_MANAGERS_SECONDS:.0f} s"
            raise EngineDownError(f"the guard of the fleet's manager: {said}", may_land=False) from why
        return None

    def _only(self, listed: Sequence[Mapping[str, Any]], session_id: str) -> SessionNetwork | None:
        if len(listed) > 1:
            raise Refusal("session", f"there is more than one network {labels.network_name(session_id)}")
        return session_network(listed[0], session_id, self._policy) if listed else None


def _label(session_id: str) -> str:
    return f"{labels.SESSION_ID}={session_id}"


async def check_limits(engine: Engine) -> None:
    """Raise Refusal when an engine accepts limits of containers without enforcing them."""
    if unenforced := await engine.unenforced_limits():
        raise Refusal(
            "limits",
            f"this engine does not enforce limits of {', '.join(unenforced)} (docker info shows it); "
            "a rootless engine needs cgroup v2 with delegation",
        )
