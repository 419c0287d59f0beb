"""Phase `waiting`: starts targets in dependency order and waits until all are healthy."""

import asyncio
from collections.abc import Iterable

from dryrun_orchestrator.catalog.template import LoadedService
from dryrun_orchestrator.engine.protocol import NotFoundError
from dryrun_orchestrator.journal.records import TargetRecord
from dryrun_orchestrator.session.context import SessionContext, SessionFailedError
from dryrun_orchestrator.session.proof import put_probe_away
from dryrun_orchestrator.session.target_states import observe, why_it_failed

LOOK_AGAIN_SECONDS = 1.0
READY_STATES = ("healthy", "running")


async def start_targets(context: SessionContext) -> None:
    """Start all targets; return when all are ready. Raises SessionFailedError for one that fails."""
    targets = await context.journal.targets(context.id)
    missing = [service.name for service in context.template.services if service.name not in targets]
    if missing:
        raise SessionFailedError(f"targets were never created: {', '.join(missing)}")
    await _BringUp(context, targets).run()


class _BringUp:
    """The targets of one session on their way to being ready."""

    def __init__(self, context: SessionContext, targets: dict[str, TargetRecord]) -> None:
        self._context = context
        self._targets = targets
        self._started = {name: asyncio.Event() for name in targets}
        self._ready = {name: asyncio.Event() for name in targets}

    async def run(self) -> None:
        """Return when all are ready, and the probe is gone."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            for service in self._context.template.services:
                group.create_task(self._start(service))
            group.create_task(put_probe_away(self._context))
            await asyncio.gather(*(event.wait() for event in self._ready.values()))
            watch.cancel()

    async def _start(self, service: LoadedService) -> None:
        for dependency in service.depends_on:
            needed = self._ready if dependency.condition == "service_healthy" else self._started
            await needed[dependency.service].wait()
        target = self._targets[service.name]
        if target.state == "created":
            try:
                async with self._context.starts:
                    await self._context.engine.start_container(target.container_id)
            except NotFoundError:
                seen, detail = await observe(self._context, target)
                if detail is not None:
                    raise  # its network is gone, not the container
                raise SessionFailedError(await why_it_failed(self._context, seen, detail)) from None
        self._started[service.name].set()
        self._context.stir(target.container_id)

    async def _watch(self) -> None:
        stirred: frozenset[str] | None = None
        while True:
            await asyncio.gather(*map(self._look_at, self._unready(stirred)))
            stirred = await self._context.wait_for_wake(LOOK_AGAIN_SECONDS)

    def _unready(self, stirred: frozenset[str] | None) -> Iterable[str]:
        for name, target in self._targets.items():
            is_due = stirred is None or target.container_id in stirred
            if is_due and self._started[name].is_set() and not self._ready[name].is_set():
                yield name

    async def _look_at(self, name: str) -> None:
        seen, detail = await observe(self._context, self._targets[name])
        self._targets[name] = seen
        on_network = detail is not None and detail.on_network
        if seen.state in READY_STATES and on_network:
            self._ready[name].set()
        elif seen.state in (*READY_STATES, "died", "unhealthy", "removed"):
            raise SessionFailedError(await why_it_failed(self._context, seen, detail))
