"""Runs a loop for each session under way, and hands it what concerns it: stops, and news of the engine."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from dryrun_orchestrator.hosts.host import Host
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.pool.prepared_session import PreparedSession, clear_for_cold_start
from dryrun_orchestrator.running.contexts import Contexts
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.deadline import Deadline
from dryrun_orchestrator.session.loop import SessionLoop
from dryrun_orchestrator.storage import NotStoredError

log = logging.getLogger(__name__)

LOOP_RETRY_SECONDS = 5.0


class RunningSessions(Mapping[UUID, SessionContext]):
    """The sessions of this process that have a loop, prepared ones too, each with its context."""

    def __init__(self, contexts: Contexts, on_end: Callable[[], None]) -> None:
        """`on_end` is called whenever a loop has ended."""
        self._contexts = contexts
        self._on_end = on_end
        self._running: dict[UUID, SessionContext] = {}
        self._unstored_stops: set[UUID] = set()
        self._deadlines: dict[UUID, Deadline] = {}
        """Of loops that failed: the next one of the session goes on with it."""

    def __getitem__(self, session_id: UUID) -> SessionContext:
        return self._running[session_id]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)

    async def start(self, record: SessionRecord, group: asyncio.TaskGroup) -> None:
        """Begin or resume the loop of a session, as a task of `group`."""
        context = await self._contexts.of(record)
        context.deadline = self._deadlines.pop(record.id, context.deadline)
        self._running[record.id] = context
        run = self._run(context, is_prepared=record.pool is not None)
        group.create_task(run, name=f"session {record.id}")

    def stir(self, session_id: UUID, container_id: str) -> None:
        """Tell a session's loop that one of its containers has changed."""
        if session_id in self._running:
            self._running[session_id].stir(container_id)

    def stir_all(self) -> None:
        """Tell every loop that anything may have changed."""
        for context in self._running.values():
            context.stir(None)

    def on(self, host: Host) -> set[UUID]:
        """Return the sessions that stand on a host."""
        return {
            session_id
            for session_id, context in self._running.items()
            if context.placement is None or host.name in context.placement.hosts
        }

    def stop(self, session_id: UUID) -> None:
        """Let a session's loop end it; without a loop, do nothing."""
        if session_id in self._running:
            self._running[session_id].stop_requested.set()

    def keep_stop(self, session_id: UUID) -> None:
        """Keep a stop that could not be stored: a loop that failed begins anew with it."""
        self._unstored_stops.add(session_id)

    async def _run(self, context: SessionContext, *, is_prepared: bool) -> None:
        try:
            if is_prepared:
                if not await PreparedSession(context).run():
                    # Claimed to start cold: what was prepared goes before its place does.
                    await clear_for_cold_start(context)
                    return
                # Who claimed it may have chosen other collectors.
                await self._contexts.plan(context)
            if not await clear_for_cold_start(context):
                if context.id in self._unstored_stops:
                    context.stop_requested.set()
                await SessionLoop(context).run()
                self._unstored_stops.discard(context.id)
        except NotStoredError as error:
            # Each few seconds, and mostly on a full disk: a traceback would fill that of the logs.
            log.warning("session %s: %s; trying again", context.id, error)
            self._deadlines[context.id] = context.deadline
            await asyncio.sleep(LOOP_RETRY_SECONDS)
        except Exception:
            # A failing session must not end the others; the journal still holds it, and it starts again.
            log.exception("session %s: its loop failed", context.id)
            self._deadlines[context.id] = context.deadline
            await asyncio.sleep(LOOP_RETRY_SECONDS)
        finally:
            self._running.pop(context.id, None)
            self._on_end()
