"""The least that a template's targets need: a parallel loop over the engine's socket, with our own bodies.

No guard, no journal, no proof of isolation. What a session takes longer is what these cost.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.protocol import NotFoundError
from dryrun_orchestrator.session.container_specs import container_spec, network_spec, session_labels
from dryrun_orchestrator.session.subnets import target_addresses

SUBNET = "10.213.223.0/27"
SECONDS = 120.0
IN_FLIGHT = 8
"""As fast as 64 on 2 cores."""


@dataclass(slots=True)
class BareLoop:
    """One network of targets, brought up and removed; `marks` holds the seconds since it began."""

    engine: DockerEngine
    template: LoadedTemplate
    marks: dict[str, float] = field(default_factory=dict)
    _began: float = 0.0
    _ids: dict[str, str] = field(default_factory=dict)
    _network: str = ""

    def mark(self, name: str) -> None:
        """Note that something has happened now."""
        self.marks[name] = time.monotonic() - self._began

    async def up(self) -> float:
        """Return the seconds until every target is healthy."""
        self._began = time.monotonic()
        async with asyncio.timeout(SECONDS), self.engine.events() as events:
            session = uuid4()
            expires = datetime.now(UTC) + timedelta(minutes=10)
            common = session_labels(session, uuid4(), self.template.id, expires)
            self._network = await self.engine.create_network(network_spec(session, SUBNET, common))
            self.mark("network")
            places = asyncio.Semaphore(IN_FLIGHT)
            addresses = target_addresses(SUBNET, [service.name for service in self.template.services], 0)
            started = {service.name: asyncio.Event() for service in self.template.services}
            waiting = set(started)

            async def create(name: str) -> None:
                service = next(each for each in self.template.services if each.name == name)
                spec = container_spec(
                    session, common, service.image,
                    service=name, address=addresses[name], environment=service.environment,
                )  # fmt: skip
                async with places:
                    self._ids[name] = await self.engine.create_container(spec)
                self.mark(f"{name} created")

            async def start(name: str) -> None:
                service = next(each for each in self.template.services if each.name == name)
                for dependency in service.depends_on:
                    await started[dependency.service].wait()
                async with places:
                    await self.engine.start_container(self._ids[name])
                started[name].set()
                self.mark(f"{name} started")

            await asyncio.gather(*map(create, started))
            starts = asyncio.gather(*map(start, started))
            names = {container: name for name, container in self._ids.items()}
            async for event in events:
                name = names.get(event.id)
                if name in waiting and event.action == "health_status: healthy":
                    waiting.discard(name)
                    self.mark(f"{name} healthy")
                    if not waiting:
                        break
            await starts
            return time.monotonic() - self._began

    async def down(self) -> float:
        """Return the seconds that removal takes."""
        began = time.monotonic()
        places = asyncio.Semaphore(IN_FLIGHT)

        async def remove(container: str) -> None:
            async with places:
                await self.engine.remove_container(container)

        await asyncio.gather(*map(remove, self._ids.values()))
        if self._network:
            await self.engine.remove_network(self._network)
        return time.monotonic() - began


@asynccontextmanager
async def bare_loop(docker_host: str, template: LoadedTemplate) -> AsyncIterator[BareLoop]:
    """Yield a loop; whatever it leaves is removed."""
    engine = DockerEngine(docker_host)
    loop = BareLoop(engine, template)
    try:
        yield loop
    finally:
        with suppress(NotFoundError):
            await loop.down()
        await engine.close()
