"""Phase `cleaning_up`: removes what a session created, again and again until nothing of it is left."""

import asyncio
import contextlib
import logging
import time
from datetime import timedelta

from dryrun_contract.event import PhaseChanged
from dryrun_contract.session import Phase
from dryrun_contract.text import printable
from dryrun_orchestrator import labels, metrics
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.removal import LeftoverError, OverlayHeldError, remove_everything
from dryrun_orchestrator.storage import NotStoredError

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.2, 5.0
STUCK_SECONDS = 10.0
"""A cleanup that has not succeeded says why after this time; another cause, after twice as long each time."""
AFTER_DEADLINE = timedelta(seconds=60)
"""A session in a fleet that cannot be cleaned up on a lost host ends this long after its deadline."""
HELD_SECONDS = 30.0
"""How long to try to remove an overlay that the swarm holds: an engine waits 20 s for a lost leader."""


async def clean_up(context: SessionContext, record: SessionRecord) -> str | None:
    """Return once nothing of the session is left to remove, however long that takes.

    Returns the name of an overlay that only the swarm holds, if there is one: the session ends beside it, and
    the reaper removes it later.
    """
    if record.subnet is None:
        # Nothing was created: do not wait for an engine that may be down.
        return None
    try:
        return await _removed(context, record)
    finally:
        context.note_emptied(())


async def _removed(context: SessionContext, record: SessionRecord) -> str | None:
    pause, held = FIRST_PAUSE_SECONDS, _Held()
    said, said_at, silence = "", time.monotonic(), STUCK_SECONDS
    while (error := await why_not_removed(context)) is not None:
        if isinstance(error, EngineError):
            context.note_emptied([host for host, left in error.elsewhere.items() if not left])
        if isinstance(error, EngineError) and _is_left_to_guards(context, record):
            break
        if (overlay := held.after(error)) is not None and _may_end_beside_overlay(context, record):
            return overlay
        why = printable(str(error), limit=500)
        if why != said and time.monotonic() - said_at > silence:
            await _say_stuck(context, why + _until_when(context, record, error))
            # Causes that alternate for days are few events.
            said, said_at, silence = why, time.monotonic(), silence * 2
        await asyncio.sleep(pause)
        pause = min(pause * 2, MAX_PAUSE_SECONDS)
    return None


async def why_not_removed(context: SessionContext) -> LeftoverError | EngineError | None:
    """Remove everything; return why not all of it is gone, None when it is."""
    try:
        await remove_everything(context.engine, f"{labels.SESSION_ID}={context.id}")
    except (LeftoverError, EngineError) as error:
        metrics.CLEANUP_FAILURES.inc()
        log.warning("session %s: cleanup: %s; trying again", context.id, error)
        return error
    return None


class _Held:
    """How long nothing of a session has been left but an overlay that the swarm holds."""

    def __init__(self) -> None:
        self._since: float | None = None

    def after(self, error: Exception) -> str | None:
        """Return the overlay's name once this has lasted for `HELD_SECONDS`; any other error starts over."""
        if not isinstance(error, OverlayHeldError):
            self._since = None
            return None
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return error.overlay if now - self._since >= HELD_SECONDS else None


def _may_end_beside_overlay(context: SessionContext, record: SessionRecord) -> bool:
    """Return whether every host of the session was asked for containers, or can have none left.

    A host that is no longer in the fleet file is not asked. A bridge has no tasks, whatever its engine says.
    """
    if context.placement is None or not context.placement.is_spread:
        return False
    return context.lost_host() is None or _is_left_to_guards(context, record)


def _is_left_to_guards(context: SessionContext, record: SessionRecord) -> bool:
    """Return whether nothing of the session can be left on a host that does not say what it has.

    Its guard removes what is due, at once when the host comes back; so does the reaper. A host that answers
    all the same, that it has too much to do or what no engine would, holds no place for ever either.
    """
    if context.placement is None or record.expires_at is None:
        return False
    return context.deadline.left(record.expires_at) < -AFTER_DEADLINE


def _until_when(context: SessionContext, record: SessionRecord, error: Exception) -> str:
    """Return until when a session waits for a host that does not say what it has; else an empty text."""
    waits = isinstance(error, EngineError) and context.placement is not None
    if not waits or record.expires_at is None:
        return ""
    latest = record.expires_at + AFTER_DEADLINE
    return (
        f"; the session ends once the host answers, or at {latest:%H:%M:%S} UTC; what is left there "
        "is removed by its guard"
    )


async def _say_stuck(context: SessionContext, why: str) -> None:
    """Let people see why cleanup takes so long; a full disk does not hold up the removal."""
    reason = f"not everything is removed yet: {why}; trying again"
    with contextlib.suppress(NotStoredError):
        await context.journal.update_session(context.id, PhaseChanged(phase=Phase.CLEANING_UP, reason=reason))
