"""The loop of one prepared session: makes it ready, watches it until it is claimed, or removes it.

It runs the same phases as any session, `provisioning` and `waiting`, and resumes in them after a crash. Its
journal row decides: a claim or a drop is one transaction there, and this loop only finds out which it was.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from dryrun_contract.event import EventData, PhaseChanged
from dryrun_contract.session import Outcome, Phase
from dryrun_contract.text import printable
from dryrun_orchestrator import labels, metrics
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import EngineError, NotFoundError, TransientEngineError
from dryrun_orchestrator.journal.records import DropCause, PoolState, SessionRecord
from dryrun_orchestrator.session.cleaning_up import AFTER_DEADLINE, why_not_removed
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.provisioning import provision
from dryrun_orchestrator.session.target_states import state_of
from dryrun_orchestrator.session.waiting import READY_STATES, start_targets
from dryrun_orchestrator.storage import NotStoredError

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 5.0
"""Engine events wake the loop; without one, targets are inspected this often."""
DECISION_LOOK_SECONDS = 0.5
MAX_PAUSE_SECONDS = 5.0
_WAITING_IN = frozenset({PoolState.PREPARING, PoolState.READY})


class _DroppedError(Exception):
    """The session is to be dropped."""

    def __init__(self, cause: DropCause, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


class PreparedSession:
    """The loop of a session that nobody has claimed yet."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context

    async def run(self) -> bool:
        """Return True when somebody has claimed it as it is; False when it is not to continue here."""
        record = await self._context.record()
        if record.pool in _WAITING_IN:
            await self._stand_by()
            record = await self._context.record()
        if record.pool is PoolState.DROPPING:
            await self._remove()
            record = await self._context.record()
        # Set for this loop alone; for the next one it would mean that a stop was requested.
        self._context.stop_requested.clear()
        return record.pool is None and record.phase is not Phase.QUEUED

    async def _stand_by(self) -> None:
        """Return once the session was claimed or dropped, here or by others."""
        try:
            await first_of(self._prepare_and_watch, self._decision)
        except _DroppedError as dropped:
            await self._drop(dropped.cause, str(dropped))
        except EngineError as error:
            await self._drop(DropCause.FAILED, str(error))
        except NotStoredError:
            raise
        except Exception as error:
            log.exception("prepared session %s failed", self._context.id)
            await self._drop(DropCause.FAILED, f"internal error: {type(error).__name__}: {error}")

    async def _drop(self, cause: DropCause, reason: str) -> None:
        try:
            await drop(self._context, cause, reason)
        except NotStoredError:
            # What is due does not wait for the disk; a claim would find that it is gone.
            await why_not_removed(self._context)
            raise

    async def _prepare_and_watch(self) -> None:
        record = await self._context.record()
        if record.pool is PoolState.PREPARING:
            try:
                await self._prepare(record)
            except Exception as failure:
                match _first_cause(failure):
                    case SessionFailedError() | EngineError() as known:
                        raise _DroppedError(DropCause.FAILED, str(known)) from failure
                    case TimeoutError():
                        raise _DroppedError(DropCause.FAILED, "it was not healthy in time") from failure
                    case _:
                        raise
            await self._context.journal.pool.mark_ready(self._context.id, utc_now())
        while True:
            with suppress(TransientEngineError):
                if trouble := await trouble_of(self._context):
                    raise _DroppedError(DropCause.UNHEALTHY, trouble)
            await self._context.wait_for_wake(LOOK_AGAIN_SECONDS)

    async def _prepare(self, record: SessionRecord) -> None:
        settings = self._context.settings
        if record.phase is Phase.QUEUED:
            await self._enter(Phase.PROVISIONING)
        if record.phase in (Phase.QUEUED, Phase.PROVISIONING):
            async with asyncio.timeout(settings.provisioning_seconds):
                proof = await provision(self._context)
            await self._enter(Phase.WAITING, *proof)
        async with asyncio.timeout(settings.waiting_seconds):
            trace = await start_targets(self._context)
        await self._context.journal.append(self._context.id, *trace)

    async def _enter(self, phase: Phase, *summary: EventData) -> None:
        await self._context.journal.update_session(
            self._context.id,
            *summary,
            PhaseChanged(phase=phase),
            phase=phase,
            phase_since=utc_now(),
        )

    async def _decision(self) -> None:
        """Return once the journal says that it was claimed or dropped; raise _DroppedError on a reason to."""
        settings, deadline = self._context.settings, self._context.deadline
        while (record := await self._context.record()).pool in _WAITING_IN:
            if (gone := self._context.lost_host()) is not None:
                raise _DroppedError(DropCause.HOST, gone)
            lost = self._context.isolation.lost
            if lost is not None and record.phase is Phase.WAITING:
                raise _DroppedError(DropCause.ISOLATION, f"isolation is no longer proved: {lost.detail}")
            least = settings.least_left_of(record.template)
            if record.expires_at is not None and deadline.left(record.expires_at) <= least:
                if record.pool is PoolState.PREPARING:
                    # Not as one that has served its time: the next one would hardly be faster at once.
                    raise _DroppedError(DropCause.FAILED, "it took too long to get ready")
                raise _DroppedError(DropCause.DEADLINE, "too little time is left until its deadline")
            try:
                async with asyncio.timeout(DECISION_LOOK_SECONDS):
                    await self._context.stop_requested.wait()
            except TimeoutError:
                continue
            self._context.stop_requested.clear()

    async def _remove(self) -> None:
        """Remove everything, however long that takes; return early when somebody claims the id meanwhile."""
        pause = 0.2
        while (record := await self._context.record()).pool is PoolState.DROPPING:
            error = None if record.subnet is None else await why_not_removed(self._context)
            if error is None or self._is_left_to_the_guard(record, error):
                await self._context.journal.pool.mark_dropped(self._context.id, utc_now())
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    def _is_left_to_the_guard(self, record: SessionRecord, error: Exception) -> bool:
        """Return whether nothing of it can be left on a host that is lost, or does not say what it has.

        Its guard removes what is due.
        """
        says_nothing = isinstance(error, EngineError) and self._context.placement is not None
        if self._context.lost_host() is None and not says_nothing:
            return False
        latest = record.created_at + self._context.settings.session_duration
        return self._context.deadline.left(record.expires_at or latest) < -AFTER_DEADLINE


async def drop(context: SessionContext, cause: DropCause, reason: str) -> None:
    """Take a session out of the pool and have its loop remove it; nothing when it was claimed meanwhile."""
    if await context.journal.pool.drop(context.id, cause, printable(reason, limit=500)):
        metrics.POOL_DROPPED.labels(cause=cause).inc()
        log.info("prepared session %s is dropped (%s): %s", context.id, cause, printable(reason, limit=500))
        context.stop_requested.set()


async def trouble_of(context: SessionContext) -> str | None:
    """Return what keeps a ready session from being scanned; None when every target is as it was.

    Raises TransientEngineError when that cannot be found out now.
    """
    targets = (await context.journal.targets(context.id)).values()
    if len(targets) < len(context.template.services):
        return "targets are missing"
    if not targets:
        found = await context.engine.list_networks(f"{labels.SESSION_ID}={context.id}")
        # One that somebody put in its place was never proved, whatever its labels.
        proved = (await context.record()).network_id
        is_whole = [network.id for network in found] == [proved]
        return None if is_whole else "its network was removed or replaced by somebody else"

    looks = [_trouble_of_target(context, target.service, target.container_id) for target in targets]
    seen = await asyncio.gather(*looks, return_exceptions=True)
    for each in seen:
        if isinstance(each, str):
            return each
    for each in seen:
        if isinstance(each, BaseException):
            raise each
    return None


async def _trouble_of_target(context: SessionContext, service: str, container_id: str) -> str | None:
    try:
        async with context.starts:
            detail = await context.engine.inspect_container(container_id)
    except NotFoundError:
        return f"service {service}: its container was removed by somebody else"
    if detail.status != "running":
        return f"service {service} is {detail.status}"
    if not detail.on_network:
        return f"service {service} is on no network"
    state = state_of(detail)
    return None if state in READY_STATES else f"service {service} is {state}"


async def clear_for_cold_start(context: SessionContext) -> bool:
    """Remove what was prepared under an id that was claimed too late; its session then begins anew.

    If that fails for as long as a session waits for its engine, the session fails; its own cleanup goes on.
    Returns True in a fleet, where the session gives its places back and waits for new ones.
    """
    record = await context.record()
    if record.phase is not Phase.QUEUED or record.subnet is None:
        return False
    pause, why = 0.2, "the engine does not answer"
    try:
        async with asyncio.timeout(context.settings.engine_wait_seconds):
            while (trouble := await why_not_removed(context)) is not None:
                why = str(trouble)
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
    except TimeoutError:
        where = "" if context.placement is None else f" on {', '.join(context.placement.hosts)}"
        reason = printable(
            f"what was prepared for it{where} had to be removed, and was not: {why}; start it again",
            limit=1000,
        )
        await context.journal.update_session(
            context.id,
            PhaseChanged(phase=Phase.CLEANING_UP, reason=reason),
            phase=Phase.CLEANING_UP,
            phase_since=utc_now(),
            outcome=Outcome.FAILED,
            reason=reason,
        )
        return False
    await context.journal.update_session(context.id, subnet=None, network_id=None, placement=None)
    return context.placement is not None


async def first_of(*works: Callable[[], Awaitable[None]]) -> None:
    """Return or raise as the first of `works` does; cancel the others and wait until they have ended."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _first_cause(failure: BaseException) -> BaseException:
    """Return the first cause inside nested exception groups."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
