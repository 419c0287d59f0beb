"""Phase `waiting`: starts targets in dependency order and waits until all are healthy."""

import asyncio
import time
from collections.abc import Iterable, Sequence

from dryrun_contract.event import EventData
from dryrun_orchestrator.catalog.template import LoadedService
from dryrun_orchestrator.engine.errors import NotFoundError
from dryrun_orchestrator.journal.records import TargetRecord
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.proof import (
    NotReachedError,
    confirm_proof,
    prove_reach,
    put_probe_away,
)
from dryrun_orchestrator.session.start_order import start_order
from dryrun_orchestrator.session.target_states import observe, why_it_failed

LOOK_AGAIN_SECONDS = 1.0
READY_STATES = ("healthy", "running")


async def start_targets(context: SessionContext) -> Sequence[EventData]:
    """Start all targets; return the trace when all are ready, and reached from every host.

    Raises SessionFailedError if one fails.
    """
    targets = await context.journal.targets(context.id)
    missing = [service.name for service in context.template.services if service.name not in targets]
    if missing:
        raise SessionFailedError(f"targets were never created: {', '.join(missing)}")
    bring_up = _BringUp(context, targets)
    await bring_up.run()
    try:
        await prove_reach(context)
    except NotReachedError:
        # A target that failed meanwhile does not answer either, and then its hosts are not to blame.
        await bring_up.look_again()
        raise
    await context.journal.remember_readiness(bring_up.seconds)
    return (context.trace.event(),)


class _BringUp:
    """The targets of one session on their way to being ready."""

    def __init__(self, context: SessionContext, targets: dict[str, TargetRecord]) -> None:
        self._context = context
        self._targets = targets
        self._started = {name: asyncio.Event() for name in targets}
        self._ready = {name: asyncio.Event() for name in targets}
        self._running_since: dict[str, float] = {}
        self._resumes = all(target.state in READY_STATES for target in targets.values())
        """All were ready in an earlier attempt."""
        self.seconds: dict[str, float] = {}
        """Seconds from start to ready, by image id, of what was started here."""

    async def run(self) -> None:
        """Return when all are ready, and the probe is gone."""
        order = start_order(self._context.template.services, await self._context.journal.readiness())
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            for service in order:
                group.create_task(self._start(service))
            group.create_task(self._put_probe_away())
            await asyncio.gather(*(event.wait() for event in self._ready.values()))
            watch.cancel()

    async def _put_probe_away(self) -> None:
        placement = self._context.placement
        if self._resumes and placement is not None and placement.is_spread:
            # What is left may be a probe of `prove_reach` that broke off with its orchestrator: it proves
            # nothing, and the next one, which replaces it, asks the same and more.
            return
        await confirm_proof(self._context)
        # Removing a container takes the engine as long as starting one, and no target waits for it. An
        # overlay needs it there besides: an engine forgets one with the last of its containers, and not at
        # once, so a target that starts meanwhile finds no network, or one that does not cross hosts.
        await asyncio.gather(*(event.wait() for event in self._started.values()))
        await put_probe_away(self._context)

    async def _start(self, service: LoadedService) -> None:
        for dependency in service.depends_on:
            needed = self._ready if dependency.condition == "service_healthy" else self._started
            await needed[dependency.service].wait()
        target = self._targets[service.name]
        if target.state == "created":
            try:
                async with self._context.starts:
                    with self._context.trace.span("start", service.name):
                        await self._context.engine.start_container(target.container_id)
                self._running_since[service.name] = time.monotonic()
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

    async def look_again(self) -> None:
        """Raise SessionFailedError when a target failed after it was ready."""
        await asyncio.gather(*map(self._is_ready, self._targets))

    async def _look_at(self, name: str) -> None:
        if await self._is_ready(name):
            self._note(self._targets[name])
            self._ready[name].set()

    async def _is_ready(self, name: str) -> bool:
        """Look at a target. Raises SessionFailedError when it failed."""
        seen, detail = await observe(self._context, self._targets[name])
        self._targets[name] = seen
        if seen.state in READY_STATES and detail is not None and detail.on_network:
            return True
        if seen.state in (*READY_STATES, "died", "unhealthy", "removed"):
            raise SessionFailedError(await why_it_failed(self._context, seen, detail))
        return False

    def _note(self, target: TargetRecord) -> None:
        """Remember how long a target took to be ready that was started here."""
        begin, now = self._running_since.get(target.service), time.monotonic()
        if begin is not None:
            self._context.trace.add("health", target.service, begin, now)
            self.seconds[target.image_id] = max(now - begin, self.seconds.get(target.image_id, 0.0))
