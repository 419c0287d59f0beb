"""Services that earlier collectors found: each once, as the most confident reports, and only in scope."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from discovery_collectors.collector import Emit
from discovery_collectors.running.scope import OutOfScopeError, Scope, ScopedAddress
from dryrun_contract.discovery import Discovery
from dryrun_contract.resource_key import ResourceKey

_TLS_NAMES = frozenset({"https", "https-alt", "ssl", "ldaps"})
_SAYS_NOTHING = frozenset({"", "unknown", "tcpwrapped"})


@dataclass(frozen=True, slots=True)
class ReportedService:
    """A service as all reports together describe it; its address may lie anywhere."""

    key: ResourceKey
    data: dict[str, JsonValue]

    @property
    def name(self) -> str:
        """The protocol's name; empty when nothing is known."""
        return str(self.data.get("name", "")).casefold()

    @property
    def guessed(self) -> bool:
        """Only its port suggests what it is."""
        return self.data.get("method") == "table" or self.name in _SAYS_NOTHING

    @property
    def tls(self) -> bool:
        """It speaks TLS from the first byte on; where only its port suggests what it is, that counts too."""
        return self.data.get("tls") is True or self.name in _TLS_NAMES


@dataclass(frozen=True, slots=True)
class KnownService:
    """A service that may be contacted."""

    address: ScopedAddress
    port: int
    reported: ReportedService

    @property
    def key(self) -> ResourceKey:
        """Return the service's natural key."""
        return self.reported.key


def known_services(
    discoveries: Iterable[Discovery], scope: Scope, emit: Emit, wanted: Callable[[ReportedService], bool]
) -> Iterator[KnownService]:
    """Yield the services that are `wanted`. One outside the scope is refused with a warning."""
    merged: dict[str, dict[str, JsonValue]] = {}
    for discovery in sorted(discoveries, key=lambda each: each.confidence):
        if discovery.kind == "service":
            # Of several reports the most confident comes last and wins, attribute by attribute.
            merged.setdefault(discovery.key, {}).update(discovery.data)
    for text, data in merged.items():
        reported = ReportedService(ResourceKey.parse(text), data)
        if reported.key.port is None or not wanted(reported):
            continue
        try:
            address = scope.admit(reported.key.host)
        except OutOfScopeError as error:
            emit.warning(f"{text} is not inspected: {error}")
            continue
        yield KnownService(address, reported.key.port, reported)


class _Keyed(Protocol):
    @property
    def key(self) -> ResourceKey: ...


async def inspect_each[Service: _Keyed](
    services: Collection[Service], inspect: Callable[[Service], Awaitable[None]], emit: Emit, *, at_once: int
) -> None:
    """Inspect services side by side, at most `at_once` at a time, and report progress after each."""
    slots = asyncio.Semaphore(at_once)
    done = 0
    wanted = "1 service" if len(services) == 1 else f"{len(services)} services"
    emit.progress(done, len(services), f"{wanted} to inspect")

    async def one(service: Service) -> None:
        nonlocal done
        async with slots:
            await inspect(service)
        done += 1
        emit.progress(done, len(services), f"{service.key} inspected")

    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(one(service))
