"""Follows the state of each target and records every change once."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from dryrun_contract.event import TargetHarmed, TargetState
from dryrun_orchestrator.engine.errors import NotFoundError, TransientEngineError
from dryrun_orchestrator.engine.protocol import ContainerDetail
from dryrun_orchestrator.journal.records import TargetRecord
from dryrun_orchestrator.session.context import SessionContext, last_words
from dryrun_orchestrator.session.failure import SessionFailedError

LOOK_AGAIN_SECONDS = 2.0
"""An engine event only wakes the loop for its container; all targets are inspected this often."""
WORDS_BYTES = 16 * 1024
BEFORE_ITS_END, AFTER_ITS_END = timedelta(seconds=15), timedelta(seconds=1)
"""Window in which the engine's events show who ended a target: a stop may take ten seconds."""


def state_of(detail: ContainerDetail) -> TargetState:
    """Return the target's state in the contract's terms."""
    match detail.status:
        case "created":
            return "created"
        case "exited" | "dead" | "removing":
            return "died"
        case _:
            pass
    match detail.health:
        case "none":
            return "running"
        case health:
            return health


async def observe(
    context: SessionContext, target: TargetRecord
) -> tuple[TargetRecord, ContainerDetail | None]:
    """Inspect one target; store and report a change. The detail is None for a target that is gone."""
    detail = await _inspected(context, target)
    return await _stored(context, target, detail), detail


async def _inspected(context: SessionContext, target: TargetRecord) -> ContainerDetail | None:
    try:
        return await context.engine.inspect_container(target.container_id)
    except NotFoundError:
        return None


async def _stored(
    context: SessionContext, target: TargetRecord, detail: ContainerDetail | None
) -> TargetRecord:
    state: TargetState = "removed" if detail is None else state_of(detail)
    if state == target.state:
        return target
    changed = replace(target, state=state)
    await context.journal.put_target(context.id, changed, changed.changed(_explain(detail)))
    return changed


def _explain(detail: ContainerDetail | None) -> str | None:
    if detail is None:
        return "removed by somebody else"
    if detail.status in ("exited", "dead"):
        memory = ", out of memory" if detail.out_of_memory else ""
        return f"exit code {detail.exit_code}{memory}"
    return None


async def why_it_failed(context: SessionContext, target: TargetRecord, detail: ContainerDetail | None) -> str:
    """Return one sentence about a failed target: its state and its last output."""
    if detail is None:
        return f"service {target.service}: its container was removed by somebody else"
    said = bytearray()
    others: str | None = None
    try:
        others = await _who_else(context, detail)
        async for chunk in context.engine.read_log(detail.id, follow=False):
            said = (said + chunk.data)[-WORDS_BYTES:]
    except (NotFoundError, TransientEngineError):
        said.clear()
    words = last_words(bytes(said))
    ended = _explain(detail)
    state = f"ended with {ended}" if ended else f"is {detail.health}"
    if others is not None:
        # One that is paused or being removed has not ended, and its health is of the time before.
        state = others if detail.status in ("paused", "removing") else f"{others} and {state}"
    if detail.status == "running" and detail.failed_check:
        state += f"; its health check said: {last_words(detail.failed_check.encode())}"
    return f"service {target.service} {state}" + (f"; it said last: {words}" if words else "")


async def watch_for_harm(context: SessionContext) -> None:
    """Look for harm until cancelled. Raises SessionFailedError."""
    stirred: frozenset[str] | None = None
    look_again = time.monotonic()
    while True:
        if stirred is None or time.monotonic() >= look_again:
            stirred, look_again = None, time.monotonic() + LOOK_AGAIN_SECONDS
        with suppress(TransientEngineError):
            await look_for_harm(context, stirred)
        stirred = await context.wait_for_wake(look_again - time.monotonic())


async def look_for_harm(context: SessionContext, stirred: frozenset[str] | None = None) -> None:
    """Report every target, or of these containers, that died or turned unhealthy since the last call.

    Raises SessionFailedError for a target that somebody else ended: a scan is judged only by its own effects.
    Raises TransientEngineError, after inspecting the others, when a target could not be inspected.
    """
    unknown: TransientEngineError | None = None
    for target in (await context.journal.targets(context.id)).values():
        if target.harm is None and (stirred is None or target.container_id in stirred):
            try:
                await _tell_harm(context, target)
            except TransientEngineError as error:
                unknown = error
    if unknown is not None:
        raise unknown


async def _who_else(context: SessionContext, detail: ContainerDetail | None) -> str | None:
    """Return what somebody else did to a container; None when it runs or ended by itself."""
    match detail:
        case None | ContainerDetail(status="removing"):
            return "was removed by somebody else"
        case ContainerDetail(status="paused"):
            return "was paused by somebody else"
        case ContainerDetail(status="running", on_network=False):
            return "is on no network (taken off by somebody else, or lost by an engine that ended meanwhile)"
        case ContainerDetail(out_of_memory=False, ended_at=datetime() as ended_at):
            return await _who_ended(context, detail.id, ended_at)
        case _:
            return None


async def _who_ended(context: SessionContext, container_id: str, ended_at: datetime) -> str | None:
    actions = await context.engine.past_actions(
        container_id, ended_at - BEFORE_ITS_END, ended_at + AFTER_ITS_END
    )
    if "kill" in actions:
        return "was stopped by somebody else"
    if "die" not in actions:
        return "was ended in a way that the engine does not remember, as after its restart,"
    return None


async def _tell_harm(context: SessionContext, target: TargetRecord) -> None:
    detail = await _inspected(context, target)
    # Checked before the change is stored, so that a later process checks again.
    if not_by_the_scan := await _who_else(context, detail):
        raise SessionFailedError(
            f"service {target.service} {not_by_the_scan} while it was scanned: what the scan found and did "
            "says nothing; run it again"
        )
    seen = await _stored(context, target, detail)
    if seen.state in ("healthy", "running"):
        return
    if seen.state == "unhealthy":
        harmed = replace(seen, harm="unhealthy")
    elif detail is not None and detail.out_of_memory:
        harmed = replace(seen, harm="out_of_memory")
    else:
        harmed = replace(seen, harm="died")
    assert harmed.harm is not None
    event = TargetHarmed(
        service=target.service,
        harm=harmed.harm,
        during=tuple(sorted(context.collecting)),
        detail=await why_it_failed(context, seen, detail),
    )
    await context.journal.put_target(context.id, harmed, event)
