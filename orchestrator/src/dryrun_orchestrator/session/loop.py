"""Moves one session from phase to phase until it has ended; after a crash it resumes at the journal's phase.

Each phase has one idempotent body. A body that fails permanently, is interrupted by a stop or the deadline,
or takes too long leads to `cleaning_up`; a temporary failure is retried. Only empty listings end it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from dryrun_contract.event import EventData, IsolationProbed, PhaseChanged, SessionEnded
from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import metrics
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import EngineError, TransientEngineError
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.cleaning_up import clean_up, why_not_removed
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.provisioning import provision
from dryrun_orchestrator.session.scanning import scan
from dryrun_orchestrator.session.spans import inside_phase, record_phase, record_session
from dryrun_orchestrator.session.target_states import watch_for_harm
from dryrun_orchestrator.session.waiting import READY_STATES, start_targets
from dryrun_orchestrator.storage import NotStoredError

log = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 5.0
DEADLINE_LOOK_SECONDS = 0.5
HELD = (
    "its empty overlay {} is left: the swarm keeps a task on it, and no host has a container of this session"
)

_ISOLATED_PHASES = frozenset({Phase.WAITING, Phase.SCANNING, Phase.KEPT})
"""Phases that rely on a proof; `provisioning` makes its own."""

_BODIES: dict[Phase, Callable[[SessionContext], Awaitable[Sequence[EventData] | None]]] = {
    Phase.PROVISIONING: provision,
    Phase.WAITING: start_targets,
    Phase.SCANNING: scan,
    Phase.KEPT: watch_for_harm,
}
"""A body may return events that summarize its phase. They are written together with the change of phase, so
that a body repeated after a crash does not report them twice."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The next phase, and why."""

    phase: Phase
    outcome: Outcome | None = None
    reason: str | None = None
    summary: Sequence[EventData] = ()


class SessionLoop:
    """The loop of one session that has left the queue."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._last_trouble: str | None = None

    async def run(self) -> None:
        """Return when the session has ended."""
        record = await self._context.record()
        while record.phase is not Phase.ENDED:
            with inside_phase(self._context, record):
                await self._leave(record)
            left, record = record, await self._context.record()
            record_phase(self._context, left, record.phase_since)
        record_session(self._context, record)

    async def _leave(self, record: SessionRecord) -> None:
        """Carry out the session's phase and enter the next."""
        if record.phase is Phase.CLEANING_UP:
            await self._end(record, await clean_up(self._context, record))
        elif record.phase is Phase.QUEUED:
            await self._enter(_Verdict(Phase.PROVISIONING))
        else:
            await self._enter(await self._carry_out(record.phase))

    async def _enter(self, verdict: _Verdict) -> None:
        changes: dict[str, Outcome | str | None] = {}
        if verdict.outcome is not None:
            changes = {"outcome": verdict.outcome, "reason": verdict.reason}
        while True:
            try:
                await self._context.journal.update_session(
                    self._context.id,
                    *verdict.summary,
                    PhaseChanged(phase=verdict.phase, reason=verdict.reason),
                    phase=verdict.phase,
                    phase_since=utc_now(),
                    **changes,
                )
            except NotStoredError as error:
                if verdict.phase is not Phase.CLEANING_UP:
                    raise
                # What a stop, a deadline or a lost isolation requires does not wait for the disk.
                log.warning("session %s: %s; it is removed all the same", self._context.id, error)
                await why_not_removed(self._context)
            else:
                return
            await asyncio.sleep(MAX_PAUSE_SECONDS)

    async def _carry_out(self, phase: Phase) -> _Verdict:
        body = asyncio.create_task(self._persist(phase))
        interruption = asyncio.create_task(self._interruption())
        try:
            limit = self._limit_seconds(phase)
            done, _ = await asyncio.wait(
                {body, interruption}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
            )
            error = body.exception() if body in done else None
            summary = body.result() if body in done and error is None else ()
            if interruption in done:
                verdict = interruption.result()
                return replace(verdict, summary=(*verdict.summary, *summary))
            if error is not None:
                return self._judge(phase, error)
            if body in done:
                return replace(await self._next(phase), summary=summary)
            return _Verdict(Phase.CLEANING_UP, Outcome.FAILED, await self._too_slow(phase, limit))
        finally:
            for task in (body, interruption):
                task.cancel()
            await asyncio.gather(body, interruption, return_exceptions=True)

    async def _persist(self, phase: Phase) -> Sequence[EventData]:
        """Run a phase's body, repeatedly while it fails for temporary reasons."""
        self._last_trouble = None
        pause = 0.2
        while True:
            try:
                return await _BODIES[phase](self._context) or ()
            except Exception as error:
                causes = list(_causes(error))
                may_heal = (TransientEngineError, NotStoredError)
                lasting = [cause for cause in causes if not isinstance(cause, may_heal)]
                if lasting:
                    raise _most_informative(lasting) from error
                self._last_trouble = str(causes[0])
                log.warning("session %s: %s: %s; trying again", self._context.id, phase, causes[0])
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    def _judge(self, phase: Phase, error: BaseException) -> _Verdict:
        match error:
            case SessionFailedError() | EngineError():
                return _Verdict(Phase.CLEANING_UP, Outcome.FAILED, str(error))
            case _:
                log.error("session %s: %s failed", self._context.id, phase, exc_info=error)
                reason = f"internal error in phase {phase}: {type(error).__name__}: {error}"
                return _Verdict(Phase.CLEANING_UP, Outcome.FAILED, reason)

    async def _next(self, phase: Phase) -> _Verdict:
        if phase is Phase.PROVISIONING:
            return _Verdict(Phase.WAITING)
        if phase is Phase.WAITING:
            return _Verdict(Phase.SCANNING)
        if phase is Phase.SCANNING and (await self._context.record()).keep:
            return _Verdict(Phase.KEPT)
        return _Verdict(Phase.CLEANING_UP, Outcome.COMPLETED)

    async def _interruption(self) -> _Verdict:
        """Return when a stop was requested, isolation is lost, or the deadline requires cleanup."""
        settings = self._context.settings
        while True:
            record = await self._context.record()
            # The request is stored, unless nothing can be: then it is known to this process only.
            if record.stop_requested_at is not None or self._context.stop_requested.is_set():
                return _Verdict(Phase.CLEANING_UP, Outcome.STOPPED, "stopped on request")
            lost = self._context.isolation.lost
            if lost is not None and record.phase in _ISOLATED_PHASES:
                what = "is no longer" if lost.reached else "is no longer known to be"
                return _Verdict(
                    Phase.CLEANING_UP,
                    Outcome.FAILED,
                    f"the network {what} isolated from the host: {lost.detail}",
                    (IsolationProbed(isolated=False, detail=lost.detail),),
                )
            if (gone := self._context.lost_host()) is not None:
                return _Verdict(Phase.CLEANING_UP, Outcome.FAILED, gone)
            deadline = self._context.deadline
            if record.expires_at is not None and deadline.left(record.expires_at) <= settings.cleanup_lead:
                whole, last = _in_words(settings.session_duration), _in_words(settings.cleanup_lead)
                reason = (
                    f"its time was up: a network stands for {whole} at most, the last {last} of which are "
                    "for its removal"
                )
                if record.phase is not Phase.KEPT:
                    reason += "; fewer collectors, a quicker profile or a smaller template take less"
                return _Verdict(Phase.CLEANING_UP, Outcome.EXPIRED, reason)
            try:
                async with asyncio.timeout(DEADLINE_LOOK_SECONDS):
                    await self._context.stop_requested.wait()
            except TimeoutError:
                continue

    def _limit_seconds(self, phase: Phase) -> float | None:
        settings = self._context.settings
        # The session's deadline ends the other phases, and time limits of their own end collectors.
        limits = {Phase.PROVISIONING: settings.provisioning_seconds, Phase.WAITING: settings.waiting_seconds}
        return limits.get(phase)

    async def _too_slow(self, phase: Phase, limit: float | None) -> str:
        reasons = [f"phase {phase} did not end within {limit:g} s"]
        if phase is Phase.WAITING:
            targets = await self._context.journal.targets(self._context.id)
            late = [f"{name} is {t.state}" for name, t in targets.items() if t.state not in READY_STATES]
            # Of the proof that follows, nothing is known but that it was under way.
            reasons.append(f"not healthy: {', '.join(late)}" if late else "all targets are ready")
        if self._last_trouble:
            reasons.append(f"last trouble: {self._last_trouble}")
        return "; ".join(reasons)

    async def _end(self, record: SessionRecord, held_overlay: str | None) -> None:
        targets = await self._context.journal.targets(self._context.id)
        removed = [
            replace(target, state="removed").changed()
            for target in targets.values()
            if target.state != "removed"
        ]
        outcome, reason = record.outcome or Outcome.FAILED, record.reason
        if held_overlay is not None:
            what = f"{HELD.format(held_overlay)}; it is removed once the swarm lets go of it"
            reason = what if reason is None else f"{reason}; {what}"
        now = utc_now()
        await self._context.journal.update_session(
            self._context.id,
            *removed,
            PhaseChanged(phase=Phase.ENDED),
            SessionEnded(outcome=outcome, reason=reason),
            phase=Phase.ENDED,
            phase_since=now,
            ended_at=now,
            outcome=outcome,
            reason=reason,
            held_overlay=held_overlay,
        )
        metrics.SESSIONS_ENDED.labels(outcome=outcome).inc()


def _in_words(duration: timedelta) -> str:
    """Return a duration in minutes, if it is several whole ones, or in seconds."""
    minutes, seconds = divmod(duration.total_seconds(), 60)
    whole = minutes > 1 and not seconds
    return f"{minutes:g} minutes" if whole else f"{round(duration.total_seconds(), 1):g} s"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions inside nested exception groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


def _most_informative(causes: list[BaseException]) -> BaseException:
    """Return the most informative cause: an error of a step before one of the engine."""
    for kind in (SessionFailedError, EngineError):
        for cause in causes:
            if isinstance(cause, kind):
                return cause
    return causes[0]
