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
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.engine.errors import (
    ConflictError,
    EngineError,
    ForbiddenError,
    NotFoundError,
    PermanentEngineError,
    RejectedError,
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

TRIED_SECONDS = 5.0
"""How long the trial of an input may take: a proxy that gives no answer must not hold up every session."""
SENT_SECONDS = 10.0
"""How long what is handed over may be on its way, 2 MB at most."""
CONFIRMED_SECONDS = 5.0
"""How long a collector may take to report anything after it was handed its discoveries."""
MOST_SENT = 2
"""How often they are sent and not heard before they count as lost: a proxy may swallow them."""
MOST_BROKEN = 6
"""How often the connection may break before that: a proxy may cut it each time."""
AGAIN_SECONDS = 0.25
"""Pause before the next attempt when a call failed, doubled each time: guards count them."""


async def stand_by(
    context: SessionContext,
    manifest: CollectorManifest,
    providers: Mapping[str, asyncio.Event],
    slots: asyncio.Queue[int],
) -> int | None:
    """Start the collector once the first discovery that it needs is known, if a slot is free.

    Returns the slot that it holds, or None when its turn came first or it cannot stand by: then it is
    started in its turn. `providers` are those it waits for, with the event that is set when each has ended.
    """
    if not providers or manifest.arguments or not manifest.image.stdin or not context.preflight.passes_input:
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
    # Those that it waits for may still be waiting for a slot.
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
        async with asyncio.timeout(TRIED_SECONDS):
            await context.engine.send_input(container_id, b"\n")
    except (ConfigError, EngineError, TimeoutError) as error:
        if isinstance(error, (ForbiddenError, RejectedError, TimeoutError)):
            context.preflight.note_that_input_is_refused()
        # It is started in its turn, and what is wrong shows then. Its container may exist.
        await remove_container_of(context, manifest)
        return False
    return True


async def held_slots(context: SessionContext) -> dict[str, int]:
    """Return the slots of collectors whose containers an earlier process or attempt left, by collector.

    A container that was left standing by is removed, and its collector may start again: no start of it was
    reported.
    """
    subnet = str((await context.record()).subnet)
    slots = {collector_address(subnet, slot): slot for slot in range(COLLECTORS_AT_ONCE)}
    runs = await context.journal.runs(context.id)
    held: dict[str, int] = {}
    for container in await context.engine.list_containers(f"{labels.SESSION_ID}={context.id}"):
        service = container.labels.get(labels.SERVICE)
        if container.labels.get(labels.ROLE) != "collector" or service is None:
            continue
        run = runs.get(service)
        with suppress(NotFoundError):  # somebody else has removed it
            detail = await context.engine.inspect_container(container.id)
            if detail.takes_input and (run is None or run.state in ("starting", "renewing")):
                await context.engine.remove_container(container.id)
            elif (slot := slots.get(detail.address or "")) is not None:
                held[service] = slot
    return held


async def hand_over(
    context: SessionContext, manifest: CollectorManifest, reader: CollectorRun
) -> CollectorEnded | None:
    """Hand over what earlier collectors found while `reader` follows the output; return how the run ended.

    None when it cannot be handed over, or is lost each time, and the collector has reported nothing: then it
    has done nothing, and has to be started anew with what others found in its environment. Raises ConfigError
    when that is more than can be handed over.
    """
    line = to_input(await discoveries_for(context, manifest))
    reading = asyncio.create_task(reader.follow())
    sending = asyncio.create_task(_send_until_confirmed(context, reader, line))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done() and not await sending and not reader.record.lines:
            context.preflight.note_that_input_is_refused()
            return None
        return await reading
    finally:
        for task in (reading, sending):
            task.cancel()
        await asyncio.gather(reading, sending, return_exceptions=True)


async def _send_until_confirmed(context: SessionContext, reader: CollectorRun, line: bytes) -> bool:
    """Send the line until the collector has reported anything: it may be lost with a connection.

    Returns False when it is refused, breaks off each time, or was sent several times without being heard. It
    is sent at least once: what is in the log may be from the time when the collector stood by.
    """
    pause, sent, broken = AGAIN_SECONDS, 0, 0
    while not (sent and reader.record.lines):
        if sent == MOST_SENT or broken == MOST_BROKEN:
            return False
        try:
            with suppress(TimeoutError):  # it may have arrived
                async with asyncio.timeout(SENT_SECONDS):
                    await context.engine.send_input(reader.container_id, line)
            sent, pause = sent + 1, CONFIRMED_SECONDS
        except (NotFoundError, ConflictError):
            return True  # it has ended, and its log says why
        except TransientEngineError:
            broken, pause = broken + 1, min(2 * pause, CONFIRMED_SECONDS)
        except PermanentEngineError:
            return False
        await asyncio.sleep(pause)
    return True
