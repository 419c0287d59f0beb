"""An engine in memory, for tests of what is built on one; it passes the same contract tests as the real one.

Images define what their containers do (`FakeImage`), faults are planned (`FakeEngine.faults`), and tests
look into `networks`, `containers` and `calls`. Time is the event loop's.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self, cast

from dryrun_orchestrator.engine.errors import EngineError, EngineUnreachableError
from dryrun_orchestrator.engine.label_match import carries
from dryrun_orchestrator.engine.protocol import (
    Container,
    ContainerDetail,
    ContainerSpec,
    EngineEvent,
    LogChunk,
    Network,
    NetworkSpec,
    Traffic,
)
from engine_in_memory.container import KILLED, FakeContainer, FakeImage, stdout
from engine_in_memory.faults import CallName, Faults
from engine_in_memory.machine import FakeMachine, FakeNetwork, FakeSwarm, Subscription

__all__ = [
    "FakeCall", "FakeContainer", "FakeEngine", "FakeImage", "FakeNetwork", "FakeSwarm", "Faults", "stdout",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FakeCall:
    """One call that was made; `about` is the specification, label or id it was made with."""

    name: CallName
    about: object


class FakeEngine:
    """See `protocol.Engine`. Use as a context manager: leaving it ends all containers.

    `close` cuts the client's streams and leaves the engine alone, so that the next client (an orchestrator
    that was restarted) finds everything as it was.
    """

    def __init__(self, images: dict[str, FakeImage] | None = None, swarm: FakeSwarm | None = None) -> None:
        """Take image id → what its containers do; more may be put into `images` at any time.

        `swarm` is shared by the engines of a fleet; the first of them are its managers.
        """
        self.faults = Faults()
        self.calls: list[FakeCall] = []
        self.engine_version = "26.1.5"
        self.available_memory: int | None = None
        """As a guard says it."""
        self.late_errors: list[EngineError] = []
        """What went wrong with calls whose client was gone."""
        self._machine = FakeMachine(dict(images or {}), swarm)
        self._is_up = True
        self._cut = asyncio.Event()
        """Set when the streams of now are cut; streams keep the one they were opened with."""
        self._work: set[asyncio.Task[None]] = set()

    @property
    def images(self) -> dict[str, FakeImage]:
        """Return image id → what its containers do."""
        return self._machine.images

    @property
    def networks(self) -> dict[str, FakeNetwork]:
        """Return network id → network."""
        return self._machine.networks

    @property
    def containers(self) -> dict[str, FakeContainer]:
        """Return container id → container."""
        return self._machine.containers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut_down()

    async def shut_down(self) -> None:
        """End all containers. Raises ExceptionGroup of what the images' programs raised."""
        self.cut_streams()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        everything = [*self.containers.values(), *self._machine.removed]
        for container in everything:
            await container.settle()
        errors = [container.program_error for container in everything if container.program_error is not None]
        if errors:
            raise ExceptionGroup("programs of fake images failed", errors)

    # --- what tests do to it -----------------------------------------------------------------------------

    def go_down(self, *, lose_containers: bool = False) -> None:
        """Answer nothing any more; without live-restore the containers end, and nothing is remembered."""
        self._is_up = False
        self.cut_streams()
        if lose_containers:
            for container in self.containers.values():
                container.end(KILLED)
            self._machine.past_events.clear()

    def come_up(self) -> None:
        """Answer again."""
        self._is_up = True

    def cut_streams(self) -> None:
        """Cut every log and event connection that is open."""
        self._cut.set()
        self._cut = asyncio.Event()
        for container in self.containers.values():
            container.wake_readers()
        for queue in self._machine.subscriptions:
            queue.put_nowait(None)

    def kill(self, identity: str) -> None:
        """End a container behind the client's back."""
        self._machine.kill(self.containers[identity])

    def pause(self, identity: str) -> None:
        """Freeze a container behind the client's back."""
        self.containers[identity].status = "paused"

    def take_off_network(self, identity: str) -> None:
        """Disconnect a container behind the client's back."""
        self.containers[identity].network_id = None

    def linger(self, refusals: int) -> None:
        """Refuse so many removals of a network ("active endpoints") after a running container left it."""
        self._machine.refusals_after_removal = refusals

    def vanish(self, identity: str) -> None:
        """Remove a container or network behind the client's back."""
        if identity in self.networks:
            self._machine.drop_network(self.networks[identity])
        else:
            self._machine.drop_container(self.containers[identity])

    def container(self, name_or_label: str) -> FakeContainer:
        """Return the one container of that name, or that carries that label. Raises LookupError."""
        found = [
            container
            for container in self.containers.values()
            if container.spec.name == name_or_label or carries(container.spec.labels, name_or_label)
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} containers are {name_or_label!r}")
        return found[0]

    def calls_of(self, name: CallName) -> list[FakeCall]:
        """Return the calls of one name, in order."""
        return [call for call in self.calls if call.name == name]

    # --- the calls of the protocol -----------------------------------------------------------------------

    async def ping(self) -> int | None:
        """Return `available_memory` when it is up."""
        return await self._call("ping", None, lambda: self.available_memory)

    async def version(self) -> str:
        """Return `engine_version`."""
        return await self._call("version", None, lambda: self.engine_version)

    async def create_network(self, spec: NetworkSpec) -> str:
        """Create a network; its name, bridge and subnet have to be free."""
        return await self._call("create_network", spec, lambda: self._machine.create_network(spec))

    async def list_networks(self, label: str, *, overlays: bool = False) -> list[Network]:
        """List networks that carry the label."""
        return await self._call(
            "list_networks", label, lambda: self._machine.list_networks(label, overlays=overlays)
        )

    async def remove_network(self, network_id: str) -> None:
        """Remove a network that nothing running is attached to."""
        await self._call("remove_network", network_id, lambda: self._machine.remove_network(network_id))

    async def create_container(self, spec: ContainerSpec) -> str:
        """Create a container; its network need not exist before it starts."""
        return await self._call("create_container", spec, lambda: self._machine.create_container(spec))

    async def start_container(self, container_id: str) -> None:
        """Start a container on its network."""
        await self._call("start_container", container_id, lambda: self._machine.start_container(container_id))

    async def send_input(self, container_id: str, data: bytes) -> None:
        """Write to a container's standard input."""
        await self._call("send_input", container_id, lambda: self._machine.send_input(container_id, data))

    async def list_containers(self, label: str) -> list[Container]:
        """List containers that carry the label."""
        return await self._call("list_containers", label, lambda: self._machine.list_containers(label))

    async def inspect_container(self, container_id: str) -> ContainerDetail:
        """Inspect a container."""
        return await self._call(
            "inspect_container", container_id, lambda: self._machine.find_container(container_id).detail()
        )

    async def remove_container(self, container_id: str) -> None:
        """Remove a container, running or not."""
        await self._call(
            "remove_container",
            container_id,
            lambda: self._machine.drop_container(self._machine.find_container(container_id)),
        )

    async def read_traffic(self, container_id: str) -> Traffic | None:
        """Return the image's traffic while the container runs."""
        return await self._call(
            "read_traffic", container_id, lambda: self._machine.read_traffic(container_id)
        )

    async def read_log(
        self, container_id: str, *, follow: bool, since: datetime | None = None
    ) -> AsyncGenerator[LogChunk]:
        """Read a container's log from the start, or from a moment on with times."""
        container = await self._call(
            "read_log", container_id, lambda: self._machine.find_container(container_id)
        )
        cut = self.faults.next_log_cut()
        left = cut.after_bytes if cut else None
        broken, position = self._cut, 0
        while not broken.is_set():
            changed = container.log_changed
            chunks, position = container.log_from(position, since)
            for chunk in chunks:
                if broken.is_set():
                    raise _broken("read_log")
                if left is not None and len(chunk.data) >= left:
                    if left:
                        yield LogChunk(chunk.stream, chunk.data[:left])
                    if cut is not None and not cut.quietly:
                        raise _broken("read_log")
                    return
                left = None if left is None else left - len(chunk.data)
                yield chunk
            if chunks:
                continue
            if not follow or not container.is_running:
                return
            await changed.wait()
        raise _broken("read_log")

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[AsyncIterator[EngineEvent]]:
        """Subscribe."""
        queue: Subscription = asyncio.Queue()
        await self._call("events", None, lambda: self._machine.subscriptions.append(queue))
        try:
            yield _drain(queue)
        finally:
            self._machine.subscriptions.remove(queue)

    async def past_actions(self, container_id: str, since: datetime, until: datetime) -> tuple[str, ...]:
        """Return the actions of a container between two moments."""
        return await self._call(
            "past_actions",
            container_id,
            lambda: tuple(
                event.action
                for moment, event in self._machine.past_events
                if event.id == container_id and since <= moment <= until
            ),
        )

    async def close(self) -> None:
        """Cut the client's streams."""
        self.cut_streams()

    # --- what the engine does ----------------------------------------------------------------------------

    async def _call[Answer](self, name: CallName, about: object, effect: Callable[[], Answer]) -> Answer:
        """Record the call, let the planned fault happen, and do what was asked."""
        self.calls.append(FakeCall(name, about))
        await asyncio.sleep(0)
        self._refuse_when_down(name)
        fault = self.faults.next_fault(name)
        if fault is None:
            return effect()
        if fault.lands_after is not None:
            self._spawn(self._land(fault.lands_after, effect))
        else:
            try:
                await asyncio.sleep(fault.seconds_before)
            except asyncio.CancelledError:
                if fault.has_effect and name in {"create_network", "create_container"}:
                    self._take_effect(effect)
                elif fault.has_effect:
                    self._spawn(self._land(0, effect))
                raise
            self._refuse_when_down(name)
        answer = effect() if fault.has_effect and fault.lands_after is None else None
        if fault.error is not None:
            raise fault.error
        return cast("Answer", answer)

    async def _land(self, seconds: float, effect: Callable[[], object]) -> None:
        await asyncio.sleep(seconds)
        self._take_effect(effect)

    def _take_effect(self, effect: Callable[[], object]) -> None:
        try:
            effect()
        except EngineError as error:
            self.late_errors.append(error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    def _refuse_when_down(self, name: CallName) -> None:
        if not self._is_up:
            raise EngineUnreachableError(f"{name}: connection refused; check that the engine runs")


def _broken(call: CallName) -> EngineUnreachableError:
    return EngineUnreachableError(f"{call}: the connection broke; begin again")


async def _drain(queue: Subscription) -> AsyncGenerator[EngineEvent]:
    while (event := await queue.get()) is not None:
        yield event
    raise _broken("events")
