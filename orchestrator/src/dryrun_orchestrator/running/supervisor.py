"""Owns the sessions of this process: queue, session loops, engine events, isolation check, reaper."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from dryrun_contract.pool import Pool as PoolWord
from dryrun_contract.session import Phase, Session, SessionRequest
from dryrun_contract.text import printable
from dryrun_contract.trace_context import TraceContext
from dryrun_orchestrator import metrics
from dryrun_orchestrator.catalog.installed import OperatorFiles
from dryrun_orchestrator.catalog.templates import TemplateCatalog
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.hosts.fleet_view import fleet_view, measure
from dryrun_orchestrator.hosts.held_overlays import HeldOverlays
from dryrun_orchestrator.hosts.host_care import HostCare
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import DropCause, PoolState, SessionRecord
from dryrun_orchestrator.pool.grounds import Surroundings
from dryrun_orchestrator.pool.pool import Pool
from dryrun_orchestrator.pool.prepared_session import PreparedSession, drop
from dryrun_orchestrator.running.contexts import Contexts
from dryrun_orchestrator.running.placing import Placing
from dryrun_orchestrator.running.running_sessions import LOOP_RETRY_SECONDS, RunningSessions
from dryrun_orchestrator.settings import Settings
from dryrun_orchestrator.storage import NotStoredError
from dryrun_serving.tracing import Record

log = logging.getLogger(__name__)


class UnknownSessionError(KeyError):
    """No session has this id."""


class SessionDiffersError(Exception):
    """A session with this id already exists with different parameters."""


SHUTDOWN_SECONDS = 8.0
"""Time to remove what is prepared, within the grace that services get to stop."""
REREAD_SECONDS = 2.0
"""How soon a change of an operator's file is seen. Reading and hashing all files takes milliseconds."""


class Supervisor:
    """Call `run` for the life of the process; the other methods are the commands of the HTTP API."""

    def __init__(
        self,
        hosts: Hosts,
        journal: Journal,
        files: OperatorFiles,
        settings: Settings,
        record: Record | None = None,
    ) -> None:
        """`record` takes spans, where they are exported."""
        self._hosts = hosts
        self._journal = journal
        self._contexts = Contexts(hosts, journal, files, settings, record)
        self._placing = Placing(hosts, self._contexts, journal, settings)
        self._pool = Pool(journal, files, hosts, settings)
        self._files = files
        self._settings = settings
        self._queue_changed = asyncio.Event()
        self._running = RunningSessions(self._contexts, on_end=self._queue_changed.set)
        self._waiting = 0
        """Queued sessions that found no place."""

    async def run(self) -> None:
        """Resume the sessions in the journal, then serve until cancelled."""
        self._pool.warn_of_what_is_missing()
        async with asyncio.TaskGroup() as group:
            for host in self._hosts.all:
                care = HostCare(host, self._hosts, self._journal, self._settings)
                care.begin(group, self._running.stir, self._running.stir_all, partial(self._running.on, host))
            group.create_task(self._prune_forever())
            group.create_task(self._run_sessions(group))
            group.create_task(self._reread_forever())
            if self._hosts.fleet is not None:
                held = HeldOverlays(self._hosts, self._journal, self._settings.reaper_seconds)
                group.create_task(held.look_forever())

    @property
    def fault(self) -> str | None:
        """Return why no host could be checked; None when one was."""
        return self._hosts.fault

    @property
    def catalog(self) -> TemplateCatalog:
        """Return the templates available to a new session."""
        return self._files.current.templates

    @property
    def files_state(self) -> str:
        """Return the readiness of the installed files: `ok` and their digest, or why older ones are used."""
        digest = self._files.current.digest[:12]
        if self._files.fault is None:
            return f"ok, {digest}"
        return f"ok, but with the last good ones ({digest}): {printable(self._files.fault, limit=500)}"

    # commands

    async def put(
        self, session_id: UUID, request: SessionRequest, actor: str, caller: TraceContext | None = None
    ) -> tuple[Session, bool]:
        """Create the session, or return the one with this id; True when it is new.

        `caller` is the span that requests it; that of a repeated request is not kept. Raises
        UnknownTemplateError, TemplateInvalidError, ScanChoiceError, SessionDiffersError, NotStoredError.
        """
        if (fault := await self._journal.fault()) is not None:
            raise NotStoredError(fault)
        installed = self._files.current
        template = installed.templates.get(request.template, request.seed, request.scan)
        await asyncio.to_thread(self._files.keep, installed)
        now = utc_now()
        wanted = SessionRecord(
            id=session_id,
            template=template.id,
            template_digest=template.digest,
            seed=request.seed,
            keep=request.keep,
            scan=request.scan,
            actor=actor,
            phase=Phase.QUEUED,
            phase_since=now,
            created_at=now,
            installed=installed.digest,
            traceparent=None if caller is None else caller.header(),
        )
        queued = wanted.queued()
        if await self._pool.claim(wanted, queued, self._running.get(session_id), template):
            self._queue_changed.set()
            return await self.show(session_id), True
        is_known = await self._journal.has(session_id)
        record = await self._journal.add_session(wanted, queued)
        existing = SessionRequest(
            template=record.template, seed=record.seed, keep=record.keep, scan=record.scan
        )
        if existing != request:
            chosen = "" if record.scan.is_empty else f", scan {record.scan.model_dump_json()}"
            raise SessionDiffersError(
                f"session {session_id} already exists with template {record.template}, seed {record.seed}, "
                f"keep {record.keep}{chosen}; use another id"
            )
        self._queue_changed.set()
        return await self.show(session_id), not is_known

    async def stop(self, session_id: UUID) -> Session:
        """Request that the session stops; idempotent. Raises UnknownSessionError.

        A running one stops even if the request cannot be stored. Raises NotStoredError for one that waits:
        nothing of it has to be removed.
        """
        record = await self._record(session_id)
        if record.phase is not Phase.ENDED and record.stop_requested_at is None:
            try:
                await self._journal.update_session(session_id, stop_requested_at=utc_now())
            except NotStoredError as error:
                if session_id not in self._running:
                    raise
                log.warning("session %s is stopped, but that cannot be stored: %s", session_id, error)
                self._running.keep_stop(session_id)
        self._running.stop(session_id)
        self._queue_changed.set()
        return await self.show(session_id)

    async def show(self, session_id: UUID) -> Session:
        """Return one session. Raises UnknownSessionError."""
        record = await self._record(session_id)
        return record.word(await self._position(record))

    async def list(self) -> list[Session]:
        """Return every session in the journal, oldest first."""
        records = [record for record in await self._journal.sessions() if record.pool is None]
        queued = [record.id for record in records if record.phase is Phase.QUEUED]
        positions = {session_id: place for place, session_id in enumerate(queued, 1)}
        return [record.word(positions.get(record.id)) for record in records]

    async def show_pool(self) -> PoolWord:
        """Return what is prepared."""
        return self._pool.show(await self._journal.unfinished(), self._around())

    async def empty_pool(self) -> None:
        """Remove every session that nobody has claimed; after `run` was cancelled, when the process ends.

        Returns after `SHUTDOWN_SECONDS` at the latest. What is left then is removed by the next start, or by
        the guard at its deadline.
        """
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS), asyncio.TaskGroup() as group:
                for record in await self._journal.unfinished():
                    if record.pool not in (None, PoolState.DROPPED):
                        context = await self._contexts.of(record)
                        await drop(context, DropCause.SHUTDOWN, "the orchestrator ends")
                        group.create_task(PreparedSession(context).run())
        except* (TimeoutError, NotStoredError):
            log.warning("prepared sessions are left; the next start or the guard removes them")

    # sessions

    async def _run_sessions(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._queue_changed.clear()
            try:
                await self._fill(group)
            except NotStoredError as error:
                log.warning("sessions wait: %s", error)
                await asyncio.sleep(LOOP_RETRY_SECONDS)
                continue
            await self._queue_changed.wait()

    async def _fill(self, group: asyncio.TaskGroup) -> None:
        everything = await self._journal.unfinished()
        records = [r for r in everything if r.phase is not Phase.ENDED and r.pool is None]
        for phase in Phase:
            metrics.SESSIONS.labels(phase=phase).set(sum(record.phase is phase for record in records))
        unclaimed = [r for r in everything if r.pool not in (None, PoolState.DROPPED)]
        under_way = [r for r in records if r.phase is not Phase.QUEUED]
        for record in (*under_way, *unclaimed):
            if record.id not in self._running:
                await self._running.start(record, group)
        measure(fleet_view(self._hosts, everything))
        metrics.OVERLAYS_HELD.set(sum(r.held_overlay is not None for r in everything))
        queued = [r for r in records if r.phase is Phase.QUEUED and r.id not in self._running]
        waiting = len(queued)
        async for record in self._placing.admitted(queued, everything, lambda: len(self._running)):
            await self._running.start(record, group)
            waiting -= 1
        try:
            await self._tend_pool(group, everything, waiting)
        except NotStoredError as error:
            log.warning("the pool waits: %s", error)
        except Exception:
            # What is merely prepared must not end anybody's session. It is tried again within seconds.
            log.exception("the pool could not be tended")

    async def _tend_pool(
        self, group: asyncio.TaskGroup, records: Sequence[SessionRecord], waiting: int
    ) -> None:
        self._waiting = waiting
        if self._hosts.fleet is not None and self._settings.pool:
            # Some of those that waited a moment ago have places now.
            records = await self._journal.unfinished()
        self._pool.measure(records)
        for due in self._pool.to_drop(records, self._around()):
            if due.id in self._running:
                await drop(self._running[due.id], due.cause, due.reason)
        fresh = await self._pool.prepare_next(records, self._around())
        if fresh is not None:
            await self._running.start(fresh, group)

    def _around(self) -> Surroundings:
        return Surroundings(len(self._running), self._waiting, self.fault, self._placing.wanting)

    async def _record(self, session_id: UUID) -> SessionRecord:
        try:
            record = await self._journal.session(session_id)
        except KeyError:
            record = None
        # Until it is claimed, nobody knows of a prepared session.
        if record is None or record.pool is not None:
            raise UnknownSessionError(f"no session has the id {session_id}") from None
        return record

    async def _position(self, record: SessionRecord) -> int | None:
        if record.phase is not Phase.QUEUED:
            return None
        sessions = await self._journal.unfinished()
        queued = [r.id for r in sessions if r.phase is Phase.QUEUED and r.pool is None]
        return queued.index(record.id) + 1 if record.id in queued else None

    # background tasks

    async def _prune_forever(self) -> None:
        while True:
            try:
                await self._journal.prune()
                records = await self._journal.unfinished()
                unfinished = [record.installed for record in records if record.phase is not Phase.ENDED]
                await asyncio.to_thread(self._files.forget, unfinished)
            except (NotStoredError, OSError) as error:
                log.warning("not all that is old is deleted: %s", error)
            await asyncio.sleep(self._settings.reaper_seconds)

    async def _reread_forever(self) -> None:
        while True:
            await asyncio.sleep(REREAD_SECONDS)
            await asyncio.to_thread(self._files.reread)
            await asyncio.to_thread(self._hosts.reread)
            metrics.INSTALLED_VALID.set(self._files.fault is None)
            if self._settings.pool or self._hosts.fleet is not None:
                # They depend on these files, on clocks, memory and answers, which change without notice.
                self._queue_changed.set()
