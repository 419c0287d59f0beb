"""What the guard knows of sessions: deadlines that only come nearer, and places that are taken."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docker_guard import labels
from docker_guard.container_rules import ContainerDraft
from docker_guard.engine import Engine
from docker_guard.network_rules import SessionNetwork, session_network
from docker_guard.policy import Policy
from docker_guard.refusal import EngineDownError, Refusal

_LANDING_SECONDS = 30.0
"""How long a place stays taken when the engine's answer was lost: the create may still land."""
type _Place = tuple[str, str, labels.Role]
"""A container's name, its session, its role."""
_RUNNING = frozenset({"running", "paused", "restarting"})


@dataclass(slots=True)
class _Deadline:
    expires_at: str | None
    ends_at: float
    """By the monotonic clock, so that a clock set back prolongs nothing."""


class Deadlines:
    """When each session ends: by wall clock or by monotonic clock, whichever comes first."""

    def __init__(
        self,
        policy: Policy,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._longest = float(policy.session_seconds)
        self.now = now
        self._monotonic = monotonic
        self._known: dict[str, _Deadline] = {}

    def observe(self, session_id: str, expires_at: str | None, latest: datetime | None = None) -> None:
        """Take note of a label, and of the latest end by a network's age.

        Each look counts: what was nearer before stays nearer.
        """
        known = self._known.get(session_id)
        if known is None:
            known = self._known[session_id] = _Deadline(expires_at, self._monotonic() + self._longest)
        for moment in (labels.parse_moment(expires_at), latest):
            if moment is not None:
                left = (moment - self.now()).total_seconds()
                known.ends_at = min(known.ends_at, self._monotonic() + left)

    def is_over(self, session_id: str) -> bool:
        """Tell whether a session's deadline has passed."""
        return self.seconds_left(session_id) <= 0

    def seconds_left(self, session_id: str) -> float:
        """Return the time until a session's deadline, the longest one for a session never seen."""
        known = self._known.get(session_id)
        if known is None:
            return self._longest
        self.observe(session_id, known.expires_at)
        return known.ends_at - self._monotonic()

    def check_unmoved(self, session_id: str, expires_at: str) -> None:
        """Raise Refusal if this session was seen with another deadline before."""
        known = self._known.get(session_id)
        if known is not None and (known.expires_at != expires_at or self.is_over(session_id)):
            raise Refusal("deadline", f"session {session_id} has its deadline already; nothing prolongs it")

    def forget(self, keep: Collection[str]) -> None:
        """Drop what ended a whole session's time ago, unless something of it is still there."""
        horizon = self._monotonic() - self._longest
        self._known = {
            key: known for key, known in self._known.items() if known.ends_at > horizon or key in keep
        }

    def seconds_to_come(self) -> Iterable[float]:
        """Return the times until the deadlines that have not passed."""
        return [left for key in self._known if (left := self.seconds_left(key)) > 0]


class Places:
    """Counts, under one lock, what the engine holds together with what is on its way there.

    A place on its way has a key of its own: of two requests about the same name one may end while the other
    still lands. What was taken before a listing began is counted with it, so nothing falls between.
    """

    def __init__(self, engine: Engine, policy: Policy, deadlines: Deadlines) -> None:
        self._engine = engine
        self._policy = policy
        self._deadlines = deadlines
        self._lock = asyncio.Lock()
        self._networks: dict[object, str] = {}
        self._containers: dict[object, _Place] = {}
        self._starts: dict[object, tuple[str, str]] = {}

    @asynccontextmanager
    async def for_network(self, session_id: str, expires_at: str) -> AsyncGenerator[None]:
        """Hold the place of a session's one network. Raises Refusal."""
        name = labels.network_name(session_id)
        async with self._counting():
            self._deadlines.check_unmoved(session_id, expires_at)
            names = set(self._networks.values())
            for each in await self._engine.listed("/networks", labels.SESSION_ID):
                if labels.session_of(each.get("Labels")) == session_id:
                    raise Refusal("session", f"the network {name} already exists", 409)
                names.add(each["Name"])
            if len(names - {name}) >= self._policy.sessions:
                raise Refusal("ceiling", f"{self._policy.sessions} sessions are the most at a time")
            key = _take(self._networks, name)
        async with _held(self._networks, key):
            yield

    @asynccontextmanager
    async def for_container(self, draft: ContainerDraft, name: str) -> AsyncGenerator[SessionNetwork]:
        """Hold a container's place and return its session's network. Raises Refusal."""
        wanted: _Place = (name, draft.session_id, draft.image.role)
        async with self._counting():
            places = set(self._containers.values())
            present, network = await asyncio.gather(self._present(), self.network_of(draft.session_id))
            places |= present
            places.discard(wanted)  # the engine refuses a name that is in use
            of_session = sum(place[1:] == wanted[1:] for place in places)
            ceiling = self._policy.targets if wanted[2] == "target" else self._policy.collectors
            if of_session >= ceiling:
                raise Refusal("ceiling", f"{ceiling} {wanted[2]}s are the most of one session")
            if len(places) >= self._policy.containers:
                raise Refusal("ceiling", f"{self._policy.containers} containers are the most at a time")
            key = _take(self._containers, wanted)
        async with _held(self._containers, key):
            yield network

    @asynccontextmanager
    async def for_start(self, container_id: str, session_id: str, role: str) -> AsyncGenerator[None]:
        """Hold the place of a collector that runs; targets are counted when they are created."""
        if role != "collector":
            yield
            return
        async with self._counting():
            listed = await self._engine.listed("/containers/json", f"{labels.SESSION_ID}={session_id}")
            starting = {container for container, session in self._starts.values() if session == session_id}
            # What was removed meanwhile starts no more.
            running = starting & {each["Id"] for each in listed}
            for each in listed:
                if each.get("State") in _RUNNING and each["Labels"].get(labels.ROLE) == "collector":
                    running.add(each["Id"])
            ceiling = self._policy.running_collectors
            if len(running - {container_id}) >= ceiling:
                raise Refusal("ceiling", f"{ceiling} running collectors are the most of one session")
            key = _take(self._starts, (container_id, session_id))
        async with _held(self._starts, key):
            yield

    async def _present(self) -> set[_Place]:
        listed = await self._engine.listed("/containers/json", labels.SESSION_ID)
        return {place for place in map(_place_of, listed) if place is not None}

    @asynccontextmanager
    async def _counting(self) -> AsyncGenerator[None]:
        """Let one count at a time. Raises Refusal after a wait that only a crowd or a slow engine makes."""
        try:
            async with asyncio.timeout(self._policy.engine_seconds):
                await self._lock.acquire()
        except TimeoutError:
            raise Refusal("crowd", "too many are being counted; try again", 503) from None
        try:
            yield
        finally:
            self._lock.release()

    async def network_of(self, session_id: str) -> SessionNetwork:
        """Return a session's network if its deadline is to come. Raises Refusal."""
        listed = await self._engine.listed("/networks", f"{labels.SESSION_ID}={session_id}")
        if len(listed) != 1:
            raise Refusal(
                "session", f"there is no network {labels.network_name(session_id)}, or not one only"
            )
        network = session_network(listed[0], session_id, self._policy)
        self._deadlines.observe(session_id, network.labels.get(labels.EXPIRES_AT))
        if self._deadlines.is_over(session_id):
            raise Refusal("deadline", f"session {session_id} is past its deadline")
        return network


def _take[T](places: dict[object, T], place: T) -> object:
    key = object()
    places[key] = place
    return key


@asynccontextmanager
async def _held[T](places: dict[object, T], key: object) -> AsyncGenerator[None]:
    """Give a place back; after an answer that was lost, only when a late effect would be listed."""
    try:
        yield
    except EngineDownError:
        asyncio.get_running_loop().call_later(_LANDING_SECONDS, places.pop, key, None)
        raise
    except BaseException:
        del places[key]
        raise
    else:
        del places[key]


def _place_of(listed: Mapping[str, Any]) -> _Place | None:
    found = listed.get("Labels") or {}
    session_id = labels.session_of(found)
    if session_id is None:
        return None
    names = listed.get("Names") or [listed["Id"]]
    # What is not marked a collector counts as a target: nothing escapes both ceilings.
    role: labels.Role = "collector" if found.get(labels.ROLE) == "collector" else "target"
    return (str(names[0]).removeprefix("/"), session_id, role)
