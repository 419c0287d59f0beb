"""Phase `scanning`: runs collectors in dependency order, at most two at once, and watches the targets."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from dryrun_contract.collector_config import ConfigError, configuration_digest
from dryrun_contract.event import CollectorEnded, CollectorStarted, EventData
from dryrun_orchestrator.catalog.arguments import arguments_digest
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.journal.records import RunRecord
from dryrun_orchestrator.session.collector_container import (
    COLLECTORS_AT_ONCE,
    configuration,
    container_of,
    create_container,
    remove_container_of,
)
from dryrun_orchestrator.session.collector_run import REMOVED_BY_OTHERS, CollectorRun
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.log_lines import CollectorSpan
from dryrun_orchestrator.session.proof import prove_crossing_again
from dryrun_orchestrator.session.standby import hand_over, held_slots, stand_by
from dryrun_orchestrator.session.stored_run import given_up
from dryrun_orchestrator.session.subnets import collector_address
from dryrun_orchestrator.session.target_logs import measure_logs
from dryrun_orchestrator.session.target_states import look_for_harm, watch_for_harm
from dryrun_orchestrator.session.traffic import TrafficSampler


async def scan(context: SessionContext) -> tuple[EventData, ...]:
    """Run every collector that has not run yet; return events on their effect on the targets."""
    context.scan_began = min(context.scan_began, time.monotonic())
    sampler = TrafficSampler(context)
    await sampler.begin()
    async with asyncio.TaskGroup() as watchers:
        watching = watchers.create_task(watch_for_harm(context))
        sampling = watchers.create_task(sampler.sample_forever())
        await _run_collectors(context, sampler)
        sampling.cancel()
        watching.cancel()
    await prove_crossing_again(context)
    await look_for_harm(context)
    await sampler.sample()
    logs = await measure_logs(context)
    return (sampler.measured(),) if logs is None else (sampler.measured(), logs)


async def _run_collectors(context: SessionContext, sampler: TrafficSampler) -> None:
    ended = {manifest.name: asyncio.Event() for manifest in context.template.collectors}
    left = [manifest for manifest in context.template.collectors if not await _has_ended(context, manifest)]
    for name in ended.keys() - {manifest.name for manifest in left}:
        ended[name].set()
    # A container keeps its address, and with it its slot: no other collector may get that.
    held = await held_slots(context)
    slots: asyncio.Queue[int] = asyncio.Queue()
    for slot in sorted(set(range(COLLECTORS_AT_ONCE)) - set(held.values())):
        slots.put_nowait(slot)

    async def run_in_turn(manifest: CollectorManifest) -> None:
        providers = [other.name for other in context.template.collectors if manifest.waits_for(other)]
        slot = held.get(manifest.name)
        if slot is None:
            slot = await stand_by(context, manifest, {name: ended[name] for name in providers}, slots)
        for name in providers:
            await ended[name].wait()
        slot = await slots.get() if slot is None else slot
        try:
            await _run_collector(context, sampler, manifest, slot, ended[manifest.name])
        finally:
            slots.put_nowait(slot)

    async with asyncio.TaskGroup() as group:
        for manifest in left:
            group.create_task(run_in_turn(manifest))


async def _has_ended(context: SessionContext, manifest: CollectorManifest) -> bool:
    """Return whether a collector ended in an earlier process or attempt; then its container goes too."""
    known = (await context.journal.runs(context.id)).get(manifest.name)
    if known is None or known.state != "ended":
        return False
    context.spans_lost = context.spans_lost or not _has_span(context, manifest)
    # Left by a process that died between reporting the end and removing the container.
    await remove_container_of(context, manifest)
    return True


async def _run_collector(
    context: SessionContext,
    sampler: TrafficSampler,
    manifest: CollectorManifest,
    slot: int,
    ended: asyncio.Event,
) -> None:
    """Run a collector to its end. `ended` is set once all that it found is stored: others may begin."""
    known = (await context.journal.runs(context.id)).get(manifest.name)
    run = known or RunRecord(
        collector=manifest.name, run=uuid4().hex[:12], state="starting", started_at=utc_now()
    )
    context.collecting.add(manifest.name)
    try:
        await _start_and_follow(context, manifest, run, slot)
        # Separates its traffic from that of the next collector.
        await sampler.sample()
    finally:
        context.collecting.discard(manifest.name)
    # The slot stays taken until its container is gone, so that there are never more than two.
    ended.set()
    # Its log is no longer needed; its address is.
    await remove_container_of(context, manifest)


async def _start_and_follow(
    context: SessionContext, manifest: CollectorManifest, run: RunRecord, slot: int
) -> None:
    await context.journal.put_run(context.id, run)
    container = await _container(context, manifest, run, slot)
    if isinstance(container, CollectorEnded):
        await _store_end(context, run, container)
        return
    run, stands_by = await _start(context, manifest, run, container, slot)
    reader = CollectorRun(context, run, container, manifest.reader)
    reader, ended = await _followed(context, manifest, reader, slot, stands_by=stands_by)
    run = reader.record
    context.spans.append(await _span(context, manifest, run, reader.container_id, slot))
    await _store_end(context, run, ended)


async def _store_end(context: SessionContext, run: RunRecord, ended: CollectorEnded) -> None:
    """Store how a run ended, before its container is removed: a later process could not find out."""
    await context.journal.put_run(context.id, replace(run, state="ended"), ended)


async def _followed(
    context: SessionContext, manifest: CollectorManifest, reader: CollectorRun, slot: int, *, stands_by: bool
) -> tuple[CollectorRun, CollectorEnded]:
    """Follow a run to its end, or until its time is up; return its last reader, and how it ended."""
    # By the wall clock, since it may have begun in an earlier process; that may have been set meanwhile.
    ran = max((utc_now() - reader.record.started_at).total_seconds(), 0.0)
    try:
        async with asyncio.timeout(max(manifest.timeout_seconds - ran, 1.0)):
            ended = await hand_over(context, manifest, reader) if stands_by else await reader.follow()
            if ended is None:
                reader = await _started_anew(context, manifest, reader.record, slot)
                ended = await reader.follow()
            return reader, ended
    except ConfigError as error:
        return reader, reader.stopped(str(error))
    except TimeoutError:
        truncated = await reader.read_the_rest()
        reason = f"it did not end within {manifest.timeout_seconds} s"
        return reader, reader.stopped(reason, truncated=truncated)


async def _started_anew(
    context: SessionContext, manifest: CollectorManifest, run: RunRecord, slot: int
) -> CollectorRun:
    """Start a collector to which nothing could be handed over, with everything in its environment.

    This is stored first: otherwise a later attempt would believe that somebody else removed its container.
    """
    run = replace(run, state="renewing")
    await context.journal.put_run(context.id, run)
    await remove_container_of(context, manifest)
    container_id = await create_container(context, manifest, slot)
    run, _ = await _start(context, manifest, run, container_id, slot)
    return CollectorRun(context, run, container_id, manifest.reader)


def _has_span(context: SessionContext, manifest: CollectorManifest) -> bool:
    return any(span.collector == manifest.name for span in context.spans)


async def _span(
    context: SessionContext, manifest: CollectorManifest, run: RunRecord, container_id: str, slot: int
) -> CollectorSpan:
    """Return when a run took place, by the engine's clock where it reports it."""
    record = await context.record()
    span = CollectorSpan(
        run.collector, collector_address(str(record.subnet), slot), run.started_at, utc_now()
    )
    try:
        detail = await context.engine.inspect_container(container_id)
    except EngineError:
        return span
    started, ended = detail.started_at or span.started, detail.ended_at or span.ended
    if detail.takes_input:  # until it was handed what others found, it stood by
        started = min(max(started, _handed_over(context, manifest, run)), ended)
    return replace(span, address=detail.address or span.address, started=started, ended=ended)


def _handed_over(context: SessionContext, manifest: CollectorManifest, run: RunRecord) -> datetime:
    """Return when the turn of a collector that stood by began: once those that it waits for had ended.

    By this process's clock; in a fleet, where that may be seconds off, by the end of the last of those.
    """
    waited_for = {other.name for other in context.template.collectors if manifest.waits_for(other)}
    ends = [span.ended for span in context.spans if span.collector in waited_for]
    return max(ends) if ends and context.placement is not None else max([run.started_at, *ends])


async def _container(
    context: SessionContext, manifest: CollectorManifest, run: RunRecord, slot: int
) -> str | CollectorEnded:
    """Return the id of the run's container, found or created; or how the run ended without one."""
    found = await container_of(context, manifest)
    if found is not None:
        return found
    if run.state == "running":
        return given_up(run, REMOVED_BY_OTHERS)
    try:
        return await create_container(context, manifest, slot)
    except ConfigError as error:
        return given_up(run, str(error))


async def _start(
    context: SessionContext, manifest: CollectorManifest, run: RunRecord, container_id: str, slot: int
) -> tuple[RunRecord, bool]:
    """Start the container, unless it stood by; return the run, and whether its input is still to come."""
    detail = await context.engine.inspect_container(container_id)
    # A collector that has ended must not start again: it would scan twice.
    if detail.status == "created":
        await context.engine.start_container(container_id)
        detail = await context.engine.inspect_container(container_id)
    if detail.status == "running" and not detail.on_network:
        raise SessionFailedError(
            f"collector {manifest.name} is on no network, as after an engine that ended while starting it; "
            "run it again"
        )
    if run.state == "running":
        return run, detail.takes_input
    if run.state == "renewing":  # its start was reported, and its time runs since
        running = replace(run, state="running")
        await context.journal.put_run(context.id, running)
        return running, detail.takes_input
    running = replace(run, state="running", started_at=utc_now())
    if manifest.arguments:
        digest = arguments_digest(manifest.arguments, rate=manifest.max_rate)
    else:
        digest = configuration_digest(await configuration(context, manifest, slot))
    event = CollectorStarted(
        collector=manifest.name,
        run=run.run,
        image=manifest.image.name,
        image_id=manifest.image.id,
        config_digest=digest,
        purpose=manifest.purpose,
        claims=None if manifest.claims is None else dict(manifest.claims),
        provides=tuple(sorted(manifest.provides)),
    )
    await context.journal.put_run(context.id, running, event)
    return running, detail.takes_input
