"""Ceilings on sessions and containers: reserved places count together with what the engine holds."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from docker_guard.engine.asked_once import MOST_KEPT
from docker_guard.engine.client import Engine
from docker_guard.engine.fair_lock import FairLock
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.rules import labels
from docker_guard.rules.container_rules import ContainerDraft
from docker_guard.rules.network_rules import SessionNetwork
from docker_guard.rules.policy import Policy
from docker_guard.sessions.deadlines import Deadlines
from docker_guard.sessions.session_networks import SessionNetworks, check_limits

type _Place = tuple[str, str, labels.Role]
"""A container's name (its id, for a start), its session, its role."""
_RUNNING = frozenset({"running", "paused", "restarting"})


@dataclass(slots=True)
class _Count:
    """What was counted when the engine was last asked, and every place granted since.

    It serves each request that had come before the engine was asked: for them nothing is older than it would
    be if each asked itself. A session's 20 starts come in waves of eight, and each listing takes 20 ms.
    """

    began: float
    places: set[_Place]

    def serves(self, arrived: float) -> bool:
        """Return whether a request may be judged by it."""
        return self.began > arrived


class _Taken[T]:
    """Places reserved by requests to the engine, each under a key of its own.

    Of two requests for the same name one may end while the other is still under way. A place whose answer was
    lost stays reserved until the engine lists its object, at the latest until its session's deadline: however
    late the object appears, it was counted.
    """

    def __init__(self) -> None:
        self._places: dict[object, T] = {}
        self._lost: dict[object, float] = {}

    def now(self) -> set[T]:
        """Return the reserved places."""
        moment = time.monotonic()
        for key in [key for key, until in self._lost.items() if until <= moment]:
            self._free(key)
        return set(self._places.values())

    def settle(self, has_landed: Callable[[T], bool]) -> None:
        """Free lost places whose object the engine now lists."""
        for key in [key for key in self._lost if has_landed(self._places[key])]:
            self._free(key)

    def take(self, place: T) -> object:
        """Reserve a place, and return its key for `held`."""
        key = object()
        self._places[key] = place
        return key

    @asynccontextmanager
    async def held(self, key: object, seconds_left: Callable[[], float]) -> AsyncGenerator[None]:
        """Free a place at the end, unless the engine's answer was lost: it may have taken effect."""
        try:
            yield
        except EngineDownError as error:
            if error.may_land:
                self._lost[key] = time.monotonic() + seconds_left()
            else:
                self._free(key)
            raise
        except BaseException:
            self._free(key)
            raise
        else:
            self._free(key)

    def _free(self, key: object) -> None:
        self._lost.pop(key, None)
        del self._places[key]


class Places:
    """Counts what the engine holds together with what is under way, one request at a time.

    Places reserved before a listing began are counted with it, so nothing is missed in between.
    """

    def __init__(
        self, engine: Engine, policy: Policy, deadlines: Deadlines, session_networks: SessionNetworks
    ) -> None:
        self._session_networks = session_networks
        self._engine = engine
        self._policy = policy
        self._deadlines = deadlines
        self._creating = FairLock(policy.engine_seconds)
        self._starting = FairLock(policy.engine_seconds)
        self._networks: _Taken[str] = _Taken()
        self._containers: _Taken[_Place] = _Taken()
        self._starts: _Taken[_Place] = _Taken()
        self._created: _Count | None = None
        self._running: dict[str, _Count] = {}
        """By session: clients take turns, and each would count anew what another's turn counted before."""

    @asynccontextmanager
    async def for_network(self, session_id: str, expires_at: str) -> AsyncGenerator[None]:
        """Hold the place of a session's one network. Raises Refusal, also for unenforced limits."""
        name = labels.network_name(session_id)
        async with self._creating.held():
            self._deadlines.check_unmoved(session_id, expires_at)
            names = self._networks.now()
            _, listed = await asyncio.gather(
                check_limits(self._engine), self._engine.listed("/networks", labels.SESSION_ID)
            )
            present = {each["Name"] for each in listed}
            self._networks.settle(present.__contains__)
            if any(labels.session_of(each.get("Labels")) == session_id for each in listed):
                raise Refusal("session", f"the network {name} already exists", 409)
            # The swarm keeps an overlay for as long as it believes that a lost host's container is on it.
            stuck = {
                each["Name"]
                for each in listed
                if each.get("Driver") == "overlay"
                and self._deadlines.is_over(labels.session_of(each.get("Labels")) or "")
            }
            if len((names | present) - {name} - stuck) >= self._policy.sessions:
                raise Refusal("ceiling", f"at most {self._policy.sessions} sessions at a time")
            key = self._networks.take(name)

        def seconds_left() -> float:
            self._deadlines.observe(session_id, expires_at)
            return self._deadlines.seconds_left(session_id)

        async with self._networks.held(key, seconds_left):
            yield

    @asynccontextmanager
    async def for_container(self, draft: ContainerDraft, name: str) -> AsyncGenerator[SessionNetwork]:
        """Hold a container's place and return its session's network. Raises Refusal."""
        wanted: _Place = (name, draft.session_id, draft.image.role)
        arrived = time.monotonic()
        network = await self._session_networks.of(draft.session_id)
        async with self._creating.held():
            count = self._created
            if count is None or not count.serves(arrived):
                count = self._created = await self._count_created()
            self._session_networks.check_in_time(network)
            places = count.places - {wanted}  # the engine refuses a name that is in use
            of_session = sum(place[1:] == wanted[1:] for place in places)
            ceiling = self._policy.targets if wanted[2] == "target" else self._policy.collectors
            if of_session >= ceiling:
                raise Refusal("ceiling", f"at most {ceiling} {wanted[2]}s in one session")
            if len({draft.session_id, *(place[1] for place in places)}) > self._policy.sessions:
                raise Refusal("ceiling", f"at most {self._policy.sessions} sessions at a time")
            if len(places) >= self._policy.containers:
                raise Refusal("ceiling", f"at most {self._policy.containers} containers at a time")
            key = self._containers.take(wanted)
            count.places.add(wanted)
        async with self._containers.held(key, lambda: self._deadlines.seconds_left(draft.session_id)):
            yield network

    @asynccontextmanager
    async def for_start(self, container_id: str, session_id: str, role: labels.Role) -> AsyncGenerator[None]:
        """Hold the place of a running container. Raises Refusal.

        Targets are counted here too: more may exist than were counted, if they were created past the guard or
        before it started.
        """
        wanted: _Place = (container_id, session_id, role)
        arrived = time.monotonic()
        async with self._starting.held():
            count = self._running.get(session_id)
            if count is None or not count.serves(arrived):
                self._running.pop(session_id, None)
                count = self._running[session_id] = await self._count_running(session_id)
                if len(self._running) > MOST_KEPT:
                    del self._running[next(iter(self._running))]
            others = sum(place[1:] == wanted[1:] for place in count.places - {wanted})
            ceiling = self._policy.targets if role == "target" else self._policy.running_collectors
            if others >= ceiling:
                raise Refusal("ceiling", f"at most {ceiling} running {role}s in one session")
            key = self._starts.take(wanted)
            count.places.add(wanted)
        async with self._starts.held(key, lambda: self._deadlines.seconds_left(session_id)):
            yield

    async def _count_created(self) -> _Count:
        began, taken = time.monotonic(), self._containers.now()
        listed = await self._engine.listed("/containers/json", labels.SESSION_ID)
        present = {place for place in map(_place_of, listed) if place is not None}
        self._containers.settle(present.__contains__)
        return _Count(began, taken | present)

    async def _count_running(self, session_id: str) -> _Count:
        began, starting = time.monotonic(), self._starts.now()
        listed = await self._engine.listed("/containers/json", f"{labels.SESSION_ID}={session_id}")
        ids = {each["Id"] for each in listed}
        # What was removed cannot start any more; what stopped may still be started by a lost request.
        self._starts.settle(lambda place: place[1] == session_id and place[0] not in ids)
        running = {place for place in starting if place[1] == session_id and place[0] in ids}
        for each in listed:
            place = _place_of(each)
            if each.get("State") in _RUNNING and place is not None and place[1] == session_id:
                running.add((each["Id"], *place[1:]))
        return _Count(began, running)


def _place_of(listed: Mapping[str, Any]) -> _Place | None:
    found = listed.get("Labels") or {}
    session_id = labels.session_of(found)
    if session_id is None:
        return None
    names = listed.get("Names") or [listed["Id"]]
    # Whatever is not labelled a collector counts as a target: nothing escapes both ceilings.
    role: labels.Role = "collector" if found.get(labels.ROLE) == "collector" else "target"
    return (str(names[0]).removeprefix("/"), session_id, role)
