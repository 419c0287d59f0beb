"""Removes what is past its deadline, whatever else has died; every failed attempt is a metric and a line."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from docker_guard.audit.audit_log import AuditLog
from docker_guard.audit.metrics import (
    ENGINE_UP,
    EXPIRED_REMOVED,
    OVERDUE_SECONDS,
    REMOVAL_FAILURES,
    SESSIONS,
    SWEEP_AGE,
    SWEEP_LATE_SECONDS,
)
from docker_guard.engine.client import Engine
from docker_guard.refusal import EngineDownError, shown
from docker_guard.rules import labels
from docker_guard.rules.network_rules import latest_end
from docker_guard.rules.policy import Policy
from docker_guard.sessions.deadlines import Deadlines

_SHORTEST_PAUSE = 0.2
_LATE_SECONDS = 1.0
"""A sweep that ends later than this after it was due is recorded."""
_REMOVALS_AT_ONCE = 8
"""Removals of one session that are under way at once."""
_PLACE_SECONDS = 1.0
"""How long a removal keeps the others of its session waiting. The engine answers none for a container whose
start hangs, some 20 s when that waits for a fleet's manager."""


class DeadlineKeeper:
    """Sweeps everything that carries a session's label, at the start and then periodically.

    Run it in a thread with its own event loop and engine client, where no client can delay it.
    """

    def __init__(self, engine: Engine, policy: Policy, deadlines: Deadlines, audit: AuditLog) -> None:
        self._engine = engine
        self._deadlines = deadlines
        self._audit = audit
        self._policy = policy
        self._being_removed: set[str] = set()
        self._swept_at = time.monotonic()

    async def keep(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._sweep_periodically(group)

    async def _sweep_periodically(self, group: asyncio.TaskGroup) -> None:
        due = succeeded = time.monotonic()
        SWEEP_AGE.set_function(lambda: time.monotonic() - succeeded)
        while True:
            try:
                await self.sweep(group)
                ENGINE_UP.set(1)
                succeeded = time.monotonic()
            except EngineDownError as error:
                ENGINE_UP.set(0)
                self._audit.line("sweep-failed", reason=shown(error))
            except (KeyError, TypeError, ValueError) as error:
                # An answer in an unknown form; the next sweep may succeed.
                self._audit.line("sweep-failed", reason=f"{type(error).__name__}: {shown(error)}")
            late = time.monotonic() - due
            SWEEP_LATE_SECONDS.observe(late)
            if late > _LATE_SECONDS:
                self._audit.line("sweep-late", seconds=round(late, 1))
            self._audit.flush()
            due = await self._until_next_sweep()

    async def sweep(self, group: asyncio.TaskGroup) -> None:
        """Start removing what is due; a removal that hangs delays no other.

        Raises EngineDownError.
        """
        containers, networks = await asyncio.gather(
            self._engine.listed("/containers/json", labels.SESSION_ID),
            self._engine.listed("/networks", labels.SESSION_ID),
        )
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for kind, things in (("container", containers), ("network", networks)):
            for thing in things:
                session_id = labels.session_of(thing.get("Labels"))
                if session_id:
                    latest = latest_end(thing, self._policy) if kind == "network" else None
                    self._deadlines.observe(session_id, thing["Labels"].get(labels.EXPIRES_AT), latest)
                    due = found[session_id]
                    if self._is_ours_to_remove(thing) and thing["Id"] not in self._being_removed:
                        due.append((kind, thing["Id"]))
        self._swept_at = time.monotonic()
        left = {session_id: self._deadlines.seconds_left(session_id) for session_id in found}
        for session_id, due in found.items():
            if left[session_id] <= 0 and due:
                self._being_removed.update(identity for _, identity in due)
                group.create_task(self._remove(session_id, due))
        self._deadlines.forget(keep=found.keys())
        SESSIONS.set(sum(seconds > 0 for seconds in left.values()))
        OVERDUE_SECONDS.set(max(0.0, -min(left.values(), default=0.0)))

    def _is_ours_to_remove(self, thing: Mapping[str, Any]) -> bool:
        """Return whether this engine can remove it; an overlay leaves a worker with the last container."""
        return thing.get("Scope") != "swarm" or self._policy.makes_overlays

    async def _remove(self, session_id: str, due: list[tuple[str, str]]) -> None:
        """Remove containers in parallel, then networks, by full id only."""
        places = asyncio.Semaphore(_REMOVALS_AT_ONCE)
        for kind in ("container", "network"):
            ids = [identity for each, identity in due if each == kind]
            await asyncio.gather(*(self._remove_one(session_id, kind, each, places) for each in ids))

    async def _remove_one(self, session_id: str, kind: str, identity: str, places: asyncio.Semaphore) -> None:
        query = {"v": "1", "force": "1"} if kind == "container" else None
        seconds = self._policy.removal_seconds
        reason = ""
        try:
            async with _place_for_a_while(places), asyncio.timeout(seconds):
                reply = await self._engine.call("DELETE", f"/{kind}s/{identity}", query)
            if reply.status not in (204, 404):
                reason = f"the engine answered {reply.status}: {shown(reply.message)}"
        except TimeoutError:
            reason = f"the engine did not answer within {seconds:g} s"
        except EngineDownError as error:
            reason = shown(error)
        self._being_removed.discard(identity)
        if reason:
            REMOVAL_FAILURES.inc()
        else:
            EXPIRED_REMOVED.labels(kind).inc()
        self._audit.line(
            "removal-failed" if reason else "removed",
            session=session_id,
            kind=kind,
            object=identity,
            reason=reason or "past its deadline",
        )

    async def _until_next_sweep(self) -> float:
        """Wait for the next deadline, that of a new session included; return when the sweep was due."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        begun = time.monotonic()
        while True:
            nearest = self._deadlines.next_end(after=self._swept_at)
            due = max(begun + _SHORTEST_PAUSE, min(nearest, begun + self._policy.sweep_seconds))
            self._deadlines.watch(due, lambda: loop.call_soon_threadsafe(changed.set))
            try:
                async with asyncio.timeout(due - time.monotonic()):
                    await changed.wait()
            except TimeoutError:
                return due
            changed.clear()


@asynccontextmanager
async def _place_for_a_while(places: asyncio.Semaphore) -> AsyncGenerator[None]:
    """Take a place, and give it back at the end or after `_PLACE_SECONDS`, whichever comes first."""
    await places.acquire()
    held = True

    def give_back() -> None:
        nonlocal held
        if held:
            held = False
            places.release()

    timer = asyncio.get_running_loop().call_later(_PLACE_SECONDS, give_back)
    try:
        yield
    finally:
        timer.cancel()
        give_back()
