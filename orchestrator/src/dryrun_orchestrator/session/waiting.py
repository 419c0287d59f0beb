"""Phase `waiting`: starts targets in dependency order and waits until all are healthy."""

import asyncio

from dryrun_orchestrator.catalog.template import LoadedService
from dryrun_orchestrator.engine.protocol import NotFoundError
from dryrun_orchestrator.journal.records import TargetRecord
from dryrun_orchestrator.session.context import SessionContext, SessionFailedError
from dryrun_orchestrator.session.target_states import observe, why_it_failed

LOOK_AGAIN_SECONDS = 1.0
READY_STATES = ("healthy", "running")


async def start_targets(context: SessionContext) -> None:
    """Start all targets; return when all are ready. Raises SessionFailedError for one that fails."""
    started = {service.name: asyncio.Event() for service in context.template.services}
    ready = {service.name: asyncio.Event() for service in context.template.services}
    targets = await context.journal.targets(context.id)
    missing = [name for name in started if name not in targets]
    if missing:
        raise SessionFailedError(f"targets were never created: {', '.join(missing)}")
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_watch(context, started, ready))
        starts = [
            group.create_task(_start(context, service, targets[service.name], started, ready))
            for service in context.template.services
        ]
        await asyncio.gather(*starts)
        await asyncio.gather(*(event.wait() for event in ready.values()))
        watch.cancel()


async def _start(
    context: SessionContext,
    service: LoadedService,
    target: TargetRecord,
    started: dict[str, asyncio.Event],
    ready: dict[str, asyncio.Event],
) -> None:
    for dependency in service.depends_on:
        needed = ready if dependency.condition == "service_healthy" else started
        await needed[dependency.service].wait()
    if target.state == "created":
        try:
            async with context.starts:
                await context.engine.start_container(target.container_id)
        except NotFoundError:
            seen, detail = await observe(context, target)
            if detail is not None:
                raise  # its network is gone, not the container
            raise SessionFailedError(await why_it_failed(context, seen, detail)) from None
    started[service.name].set()


async def _watch(
    context: SessionContext, started: dict[str, asyncio.Event], ready: dict[str, asyncio.Event]
) -> None:
    while True:
        for name, target in (await context.journal.targets(context.id)).items():
            if not started[name].is_set() or ready[name].is_set():
                continue
            seen, detail = await observe(context, target)
            on_network = detail is not None and detail.on_network
            if seen.state in READY_STATES and on_network:
                ready[name].set()
            elif seen.state in (*READY_STATES, "died", "unhealthy", "removed"):
                raise SessionFailedError(await why_it_failed(context, seen, detail))
        await context.wait_for_wake(LOOK_AGAIN_SECONDS)
