"""The engines of several hosts as one, for callers that need not know how many hosts there are.

Ids are `HOST/ID`. A session's overlay is known to every manager of the swarm, and elsewhere comes and goes
with containers: whichever manager answers is asked for it, and its id names the one that did.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from ipaddress import IPv4Network

from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.errors import (
    EngineError,
    EngineUnreachableError,
    NotFoundError,
    TransientEngineError,
)
from dryrun_orchestrator.engine.host_ids import joined, split
from dryrun_orchestrator.engine.protocol import (
    Container,
    ContainerDetail,
    ContainerSpec,
    Engine,
    EngineEvent,
    LogChunk,
    Network,
    NetworkSpec,
    Traffic,
)
from dryrun_orchestrator.fleet.placement import Placement

MANAGERS_SECONDS = 5.0
"""How long managers beside the first that answers are waited for."""


class FleetEngine:
    """Some hosts of a fleet: one, those of a session, or all."""

    def __init__(
        self,
        hosts: Mapping[str, Engine],
        managers: Callable[[], Mapping[str, Engine]],
        *,
        placement: Placement | None = None,
        encrypted: bool = False,
    ) -> None:
        """Take the hosts; for a session that is spread over several also its placement.

        `managers` returns the managers in the order in which they are to be asked.
        """
        self._hosts = hosts
        self._managers = managers
        self._placement = placement
        self._encrypted = encrypted
        self._failed: set[str] = set()
        """Managers that did not make this session's overlay; they are asked last."""

    # all hosts

    async def ping(self) -> int | None:
        """Return when every host's engine answers, and a manager's where the session is spread.

        Returns the least memory that any of the hosts reports; None when none does.
        """
        said = await self._of_all(lambda engine: engine.ping())
        if self._is_spread:
            await self._ping_a_manager()
        return min((available for available in said.values() if available is not None), default=None)

    async def version(self) -> str:
        """Return the versions, each once."""
        found = await self._of_all(lambda engine: engine.version())
        return ", ".join(sorted(set(found.values())))

    async def list_networks(self, label: str, *, overlays: bool = False) -> list[Network]:
        """List networks; of overlays the half for containers, each once, as managers list them."""
        assert not overlays, "that is a question to one engine"
        found = await self._of_all(lambda engine: engine.list_networks(label))
        listed = [
            replace(network, id=joined(host, network.id))
            for host, networks in found.items()
            for network in networks
            if not network.is_overlay
        ]
        # One host by itself goes on without its swarm: what stands on it alone needs none.
        managers = self._managers()
        by_manager = (
            await self._of_managers(label)
            if self._is_spread
            else {host: networks for host, networks in found.items() if host in managers}
        )
        known: dict[str, Network] = {}
        for host, networks in by_manager.items():
            for network in networks:
                if network.is_overlay:
                    own = replace(network, id=joined(host, network.id), subnet=_first_half(network.subnet))
                    known.setdefault(network.id, own)
        return [*listed, *known.values()]

    async def _of_managers(self, label: str) -> dict[str, list[Network]]:
        """Return the overlays that each manager lists, of those that answer; EngineError when none does."""
        asked = {
            host: asyncio.create_task(_named(host, partial(engine.list_networks, label, overlays=True)))
            for host, engine in self._in_turn().items()
        }
        if not asked:
            raise EngineUnreachableError("the fleet has no manager")
        try:
            await asyncio.wait(asked.values(), timeout=MANAGERS_SECONDS)
            if not any(task.done() and not task.exception() for task in asked.values()):
                await asyncio.wait(asked.values())
        finally:
            for task in asked.values():
                task.cancel()
            await asyncio.gather(*asked.values(), return_exceptions=True)
        ended = {host: task for host, task in asked.items() if not task.cancelled()}
        failures = [error for task in ended.values() if (error := task.exception()) is not None]
        for error in failures:
            if not isinstance(error, TransientEngineError):
                raise error
        if len(failures) == len(ended):
            raise failures[-1]
        return {host: task.result() for host, task in ended.items() if task.exception() is None}

    async def list_containers(self, label: str) -> list[Container]:
        """List the containers of all hosts.

        Raises EngineError when one of them cannot be asked, with what is `elsewhere`.
        """
        answers = await self._answers(lambda engine: engine.list_containers(label))
        found = {
            host: [replace(each, id=joined(host, each.id)) for each in listed]
            for host, listed in answers.items()
            if not isinstance(listed, BaseException)
        }
        for failure in answers.values():
            if isinstance(failure, EngineError):
                failure.elsewhere = found
        _raise_first(answers)
        return [each for listed in found.values() for each in listed]

    # one host

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[AsyncIterator[EngineEvent]]:
        """Subscribe at the one host: each is followed by itself, and wakes sessions that it is part of."""
        ((host, engine),) = self._hosts.items()
        async with engine.events() as events, aclosing(_named_events(host, events)) as named:
            yield named

    async def create_network(self, spec: NetworkSpec) -> str:
        """Create a bridge on the one host, or an overlay of twice the subnet at a manager."""
        if self._is_spread:
            # Not at the next one when it fails: it may have been made, and is found by listing.
            host, engine = next(iter(self._in_turn().items()))
            block = IPv4Network(spec.subnet).supernet()
            reserved = str(list(block.subnets(prefixlen_diff=1))[1])
            spec = replace(spec, subnet=str(block), reserved=reserved, encrypted=self._encrypted)
        else:
            ((host, engine),) = self._hosts.items()
        try:
            return joined(host, await _named(host, partial(engine.create_network, spec)))
        except TransientEngineError:
            # The next attempt lists first, and then asks another one.
            self._failed.add(host)
            raise

    async def remove_network(self, network_id: str) -> None:
        """Remove a bridge at its host, an overlay at a manager."""
        if self._is_spread:
            _, own = split(network_id)
            await self._remove_overlay(own)
        else:
            await self._at(network_id, lambda engine, identity: engine.remove_network(identity))

    async def _remove_overlay(self, identity: str) -> None:
        """Remove an overlay at the first manager that knows it: one without a leader knows none."""
        failure: EngineError | None = None
        for host, engine in self._in_turn().items():
            try:
                await _named(host, partial(engine.remove_network, identity))
            except NotFoundError as error:
                failure = error
            except TransientEngineError as error:
                failure = failure or error
            else:
                return
        if failure is not None:
            raise failure

    async def create_container(self, spec: ContainerSpec) -> str:
        """Create a container where its session's placement has it."""
        host = self._host_of(spec)
        return joined(host, await _named(host, partial(self._hosts[host].create_container, spec)))

    async def start_container(self, container_id: str) -> None:
        """Start a container."""
        await self._at(container_id, lambda engine, identity: engine.start_container(identity))

    async def send_input(self, container_id: str, data: bytes) -> None:
        """Write to a container's standard input."""
        await self._at(container_id, lambda engine, identity: engine.send_input(identity, data))

    async def inspect_container(self, container_id: str) -> ContainerDetail:
        """Inspect a container."""
        detail = await self._at(container_id, lambda engine, identity: engine.inspect_container(identity))
        return replace(detail, id=container_id)

    async def remove_container(self, container_id: str) -> None:
        """Remove a container."""
        await self._at(container_id, lambda engine, identity: engine.remove_container(identity))

    async def read_traffic(self, container_id: str) -> Traffic | None:
        """Read a container's counters once."""
        return await self._at(container_id, lambda engine, identity: engine.read_traffic(identity))

    async def read_log(
        self, container_id: str, *, follow: bool, since: datetime | None = None
    ) -> AsyncGenerator[LogChunk]:
        """Read a container's log."""
        _, engine, identity = self._found(container_id)
        async with aclosing(engine.read_log(identity, follow=follow, since=since)) as log:
            async for chunk in log:
                yield chunk

    async def past_actions(self, container_id: str, since: datetime, until: datetime) -> tuple[str, ...]:
        """Return a container's actions, by the clock of its host."""
        return await self._at(
            container_id, lambda engine, identity: engine.past_actions(identity, since, until)
        )

    @property
    def _is_spread(self) -> bool:
        return self._placement is not None and self._placement.is_spread

    def _in_turn(self) -> dict[str, Engine]:
        return dict(sorted(self._managers().items(), key=lambda item: item[0] in self._failed))

    async def close(self) -> None:
        """Close all connections of these hosts."""
        for engine in self._hosts.values():
            await engine.close()

    def _host_of(self, spec: ContainerSpec) -> str:
        if self._placement is None:
            (host,) = self._hosts
            return host
        if spec.labels[labels.ROLE] == "target":
            host = self._placement.services[spec.labels[labels.SERVICE]]
        else:
            host = self._placement.collectors
        if host not in self._hosts:
            raise NotFoundError(f"there is no host {host} in the fleet any more")
        return host

    def _found(self, identity: str) -> tuple[str, Engine, str]:
        named, own = split(identity)
        if named is not None and named not in self._hosts:
            raise NotFoundError(f"there is no host {named} in the fleet any more")
        # Ids without a host are made up, to try whether calls are allowed.
        host = named or next(iter(self._hosts))
        return host, self._hosts[host], own

    async def _at[T](self, identity: str, call: Callable[[Engine, str], Awaitable[T]]) -> T:
        host, engine, own = self._found(identity)
        return await _named(host, partial(call, engine, own))

    async def _ping_a_manager(self) -> None:
        """Return when a manager answers. Raises the last one's EngineError when none does."""
        failure: EngineError = EngineUnreachableError("the fleet has no manager")
        for host, engine in self._in_turn().items():
            try:
                await _named(host, engine.ping)
            except TransientEngineError as error:
                failure = error
            else:
                return
        raise failure

    async def _of_all[T](self, call: Callable[[Engine], Awaitable[T]]) -> dict[str, T]:
        answers = await self._answers(call)
        _raise_first(answers)
        return {host: each for host, each in answers.items() if not isinstance(each, BaseException)}

    async def _answers[T](self, call: Callable[[Engine], Awaitable[T]]) -> dict[str, T | BaseException]:
        asked = [_named(host, partial(call, engine)) for host, engine in self._hosts.items()]
        return dict(zip(self._hosts, await asyncio.gather(*asked, return_exceptions=True), strict=True))


def one_of_fleet(name: str, engine: Engine, managers: Collection[str]) -> FleetEngine:
    """Return one host of a fleet by itself; overlays are listed by managers only."""
    own = {name: engine}
    return FleetEngine(own, lambda: own if name in managers else {})


def _raise_first(answers: Mapping[str, object]) -> None:
    for each in answers.values():
        if isinstance(each, BaseException):
            raise each


async def _named[T](host: str, call: Callable[[], Awaitable[T]]) -> T:
    """Make a call whose errors name the host.

    The call begins here, so a task that is cancelled before it runs leaves nothing behind.
    """
    try:
        return await call()
    except EngineError as error:
        raise type(error)(f"host {host}: {error}") from error


async def _named_events(host: str, events: AsyncIterator[EngineEvent]) -> AsyncGenerator[EngineEvent]:
    try:
        async for event in events:
            yield replace(event, id=joined(host, event.id))
    except EngineError as error:
        raise type(error)(f"host {host}: {error}") from error


def _first_half(subnet: str | None) -> str | None:
    return None if subnet is None else str(next(IPv4Network(subnet).subnets(prefixlen_diff=1)))
