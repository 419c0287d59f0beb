"""Collectors that stand by: started before their turn, they wait for what earlier ones find.

A collector takes up to a second and a half to start and load its libraries at half a processor. It does so
while others still scan, but touches no target before it was handed their discoveries: every harm, packet and
log line still belongs to the collector whose turn it was.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from dryrun_contract.collector_config import ConfigError, to_input
from dryrun_contract.event import CollectorEnded
from dryrun_orchestrator import labels
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifest
from dryrun_orchestrator.engine.protocol import (
    ConflictError,
    EngineError,
    NotFoundError,
    PermanentEngineError,
    TransientEngineError,
)
from dryrun_orchestrator.session.collector_container import (
    COLLECTORS_AT_ONCE,
    create_container,
    discoveries_for,
    remove_container_of,
)
from dryrun_orchestrator.session.collector_run import CollectorRun
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.subnets import collector_address

CONFIRMED_SECONDS = 5.0
"""How long a collector may take to report anything after it was handed its discoveries, before they are sent
again; then twice as long, and so on."""
AGAIN_SECONDS = 0.5
"""After a call that failed, likewise doubled: guards count them."""


async def stand_by(
    context: SessionContext,
    manifest: CollectorManifest,
    providers: Mapping[str, asyncio.Event],
    slots: asyncio.Queue[int],
) -> int | None:
    """Start the collector once the first discovery that it needs is known, if a place is free for it.

    Returns the place that it holds, or None when its turn came first or it cannot stand by: then it is
    started in its turn. `providers` are those it waits for, with what is set when each has ended.
    """
    if not providers or manifest.arguments or not manifest.image.stdin:
        return None
    if manifest.name in await context.journal.runs(context.id):
        return None
    heard = asyncio.create_task(context.kinds.wait_for(manifest.needs))
    turn = asyncio.create_task(_all_set(providers))
    try:
        await asyncio.wait({heard, turn}, return_when=asyncio.FIRST_COMPLETED)
        is_early = not turn.done()
    finally:
        heard.cancel()
        turn.cancel()
        await asyncio.gather(heard, turn, return_exceptions=True)
    # A place may be waited for by those that it waits for.
    begun = all(name in context.collecting or ended.is_set() for name, ended in providers.items())
    if not is_early or not begun or slots.empty():
        return None
    slot = slots.get_nowait()
    if await _prepare(context, manifest, slot):
        return slot
    slots.put_nowait(slot)
    return None


async def _all_set(events: Mapping[str, asyncio.Event]) -> None:
    for event in events.values():
        await event.wait()


async def _prepare(context: SessionContext, manifest: CollectorManifest, slot: int) -> bool:
    """Start the container and try its input, which a proxy before the engine may refuse."""
    try:
        container_id = await create_container(context, manifest, slot, stands_by=True)
        await context.engine.start_container(container_id)
        await context.engine.send_input(container_id, b"\n")
    except (ConfigError, EngineError):
        # What is wrong shows in its turn, when it is started in the other way. It may have been created.
        await remove_container_of(context, manifest)
        return False
    return True


async def keep_places(context: SessionContext) -> dict[str, int]:
    """Return the places of collectors whose containers an earlier process or attempt left, by collector.

    One that it left standing by is removed, and may start again: nobody was told of it.
    """
    subnet = str((await context.record()).subnet)
    places = {collector_address(subnet, slot): slot for slot in range(COLLECTORS_AT_ONCE)}
    runs = await context.journal.runs(context.id)
    kept: dict[str, int] = {}
    for container in await context.engine.list_containers(f"{labels.SESSION_ID}={context.id}"):
        service = container.labels.get(labels.SERVICE)
        if container.labels.get(labels.ROLE) != "collector" or service is None:
            continue
        run = runs.get(service)
        with suppress(NotFoundError):  # somebody else has removed it
            detail = await context.engine.inspect_container(container.id)
            if detail.takes_input and (run is None or run.state == "starting"):
                await context.engine.remove_container(container.id)
            elif (slot := places.get(detail.address or "")) is not None:
                kept[service] = slot
    return kept


async def hand_over(
    context: SessionContext, manifest: CollectorManifest, reader: CollectorRun
) -> CollectorEnded:
    """Hand over what earlier collectors found while `reader` follows the output; return how the run ended."""
    try:
        line = to_input(await discoveries_for(context, manifest))
    except ConfigError as error:
        return reader.stopped(str(error))
    reading = asyncio.create_task(reader.follow())
    sending = asyncio.create_task(_send_until_confirmed(context, reader, line))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done() and (refused := await sending) is not None:
            return reader.stopped(f"what earlier collectors found could not be handed over: {refused}")
        return await reading
    finally:
        for task in (reading, sending):
            task.cancel()
        await asyncio.gather(reading, sending, return_exceptions=True)


async def _send_until_confirmed(
    context: SessionContext, reader: CollectorRun, line: bytes
) -> PermanentEngineError | None:
    """Send the line until the collector has reported anything: it may be lost with a connection.

    Returns the error of a call that will fail again. It is sent at least once: whatever is in the log
    may stand there since the collector stood by.
    """
    pause, is_sent = AGAIN_SECONDS, False
    while not (is_sent and reader.record.lines):
        try:
            await context.engine.send_input(reader.container_id, line)
            is_sent, pause = True, max(pause, CONFIRMED_SECONDS)
        except (NotFoundError, ConflictError):
            return None  # it has ended, and its log says why
        except TransientEngineError:
            pass
        except PermanentEngineError as error:
            return error
        await asyncio.sleep(pause)
        pause *= 2
    return None
