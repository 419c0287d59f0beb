"""Owns the sessions of this process: queue, session loops, engine events, isolation check, reaper."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from dryrun_contract.event import SessionQueued
from dryrun_contract.session import Phase, Session, SessionRequest
from dryrun_contract.text import printable
from dryrun_orchestrator import metrics
from dryrun_orchestrator.catalog.installed import OperatorFiles
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import (
    TemplateCatalog,
    TemplateInvalidError,
    UnknownTemplateError,
)
from dryrun_orchestrator.engine.protocol import Engine, EngineError
from dryrun_orchestrator.engine_watch import follow_engine_events
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.reaper import Reaper
from dryrun_orchestrator.session.context import SessionContext, SessionFailedError
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.session.loop import SessionLoop
from dryrun_orchestrator.session.preflight import check_calls_are_allowed
from dryrun_orchestrator.session.subnets import SubnetPoolExhaustedError
from dryrun_orchestrator.settings import Settings

log = logging.getLogger(__name__)


class UnknownSessionError(KeyError):
    """No session has this id."""


class SessionDiffersError(Exception):
    """A session with this id already exists with different parameters."""


LOOP_RETRY_SECONDS = 5.0
ISOLATION_LOOK_SECONDS = 1.0
"""How often the age of the last isolation proof is checked."""
REREAD_SECONDS = 2.0
"""How soon a change of an operator's file is seen. Reading and hashing all files takes milliseconds."""


class Supervisor:
    """Call `run` for the life of the process; the other methods are the commands of the HTTP API."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        files: OperatorFiles,
        isolation: Isolation,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._files = files
        self._isolation = isolation
        self._settings = settings
        self._now = now
        self._reaper = Reaper(engine, journal, now)
        self._running: dict[UUID, SessionContext] = {}
        self._queue_changed = asyncio.Event()
        self.fault: str | None = None
        """Why the host could not be checked: no engine, or a proxy that refuses calls. None otherwise."""

    async def run(self) -> None:
        """Resume the sessions in the journal, then serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(follow_engine_events(self._engine, self._wake, self._wake_all))
            group.create_task(self._reap_forever())
            group.create_task(self._check_host_forever())
            group.create_task(self._run_sessions(group))
            group.create_task(self._reread_forever())

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

    async def put(self, session_id: UUID, request: SessionRequest, actor: str) -> tuple[Session, bool]:
        """Create the session, or return the one with this id; True when it is new.

        Raises UnknownTemplateError, TemplateInvalidError, ScanChoiceError, SessionDiffersError.
        """
        installed = self._files.current
        template = installed.templates.get(request.template, request.seed, request.scan)
        await asyncio.to_thread(self._files.keep, installed)
        known = {record.id for record in await self._journal.sessions()}
        now = self._now()
        record = await self._journal.add_session(
            SessionRecord(
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
            ),
            SessionQueued(
                template=template.id,
                template_digest=template.digest,
                seed=request.seed,
                keep=request.keep,
                scan=request.scan,
                actor=actor,
                installed_digest=f"sha256:{installed.digest}",
            ),
        )
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
        return await self.show(session_id), session_id not in known

    async def stop(self, session_id: UUID) -> Session:
        """Request that the session stops; idempotent. Raises UnknownSessionError."""
        record = await self._record(session_id)
        if record.phase is not Phase.ENDED and record.stop_requested_at is None:
            await self._journal.update_session(session_id, stop_requested_at=self._now())
        if session_id in self._running:
            self._running[session_id].stop_requested.set()
        self._queue_changed.set()
        return await self.show(session_id)

    async def show(self, session_id: UUID) -> Session:
        """Return one session. Raises UnknownSessionError."""
        record = await self._record(session_id)
        return record.word(await self._position(record))

    async def list(self) -> list[Session]:
        """Return every session in the journal, oldest first."""
        records = await self._journal.sessions()
        queued = [record.id for record in records if record.phase is Phase.QUEUED]
        positions = {session_id: place for place, session_id in enumerate(queued, 1)}
        return [record.word(positions.get(record.id)) for record in records]

    # sessions

    async def _run_sessions(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._queue_changed.clear()
            await self._fill(group)
            await self._queue_changed.wait()

    async def _fill(self, group: asyncio.TaskGroup) -> None:
        records = [r for r in await self._journal.sessions() if r.phase is not Phase.ENDED]
        for phase in Phase:
            metrics.SESSIONS.labels(phase=phase).set(sum(record.phase is phase for record in records))
        under_way = [r for r in records if r.phase is not Phase.QUEUED and r.id not in self._running]
        for record in under_way:
            await self._start(record, group)
        for record in records:
            if record.phase is not Phase.QUEUED or record.id in self._running:
                continue
            # A queued session that was stopped needs no slot: it ends at once.
            if len(self._running) < self._settings.sessions_at_once or record.stop_requested_at is not None:
                await self._start(record, group)

    async def _start(self, record: SessionRecord, group: asyncio.TaskGroup) -> None:
        context = SessionContext(
            id=record.id,
            planned=await asyncio.to_thread(self._planned, record),
            engine=self._engine,
            journal=self._journal,
            settings=self._settings,
            isolation=self._isolation,
            now=self._now,
        )
        self._running[record.id] = context
        group.create_task(self._run_session(context), name=f"session {record.id}")

    def _planned(self, record: SessionRecord) -> LoadedTemplate | None:
        installed = self._files.of(record.installed)
        if installed is None:
            return None
        try:
            template = installed.templates.get(record.template, record.seed, record.scan)
        except (UnknownTemplateError, TemplateInvalidError, ScanChoiceError):
            return None
        return template if template.digest == record.template_digest else None

    async def _run_session(self, context: SessionContext) -> None:
        try:
            await SessionLoop(context).run()
        except Exception:
            # A failing session must not end the others; the journal still holds it, and it starts again.
            log.exception("session %s: its loop failed", context.id)
            await asyncio.sleep(LOOP_RETRY_SECONDS)
        finally:
            self._running.pop(context.id, None)
            self._queue_changed.set()

    async def _record(self, session_id: UUID) -> SessionRecord:
        try:
            return await self._journal.session(session_id)
        except KeyError:
            raise UnknownSessionError(f"no session has the id {session_id}") from None

    async def _position(self, record: SessionRecord) -> int | None:
        if record.phase is not Phase.QUEUED:
            return None
        queued = [r.id for r in await self._journal.sessions() if r.phase is Phase.QUEUED]
        return queued.index(record.id) + 1 if record.id in queued else None

    # background tasks

    def _wake(self, session_id: UUID) -> None:
        if session_id in self._running:
            self._running[session_id].woken.set()

    def _wake_all(self) -> None:
        for context in self._running.values():
            context.woken.set()

    async def _reap_forever(self) -> None:
        while True:
            busy = set(self._running)
            if self._isolation.checking is not None:
                busy.add(self._isolation.checking)
            try:
                await self._reaper.round(busy=busy)
            except EngineError as error:
                log.warning("reaper: %s; trying again", error)
            await self._journal.prune()
            unfinished = [r.installed for r in await self._journal.sessions() if r.phase is not Phase.ENDED]
            await asyncio.to_thread(self._files.forget, unfinished)
            await asyncio.sleep(self._settings.reaper_seconds)

    async def _reread_forever(self) -> None:
        while True:
            await asyncio.sleep(REREAD_SECONDS)
            await asyncio.to_thread(self._files.reread)
            metrics.INSTALLED_VALID.set(self._files.fault is None)

    async def _check_host_forever(self) -> None:
        """Probe at start-up, and again while isolation is not proved or sessions run.

        Only a check clears `fault`: a session's own probe may have succeeded meanwhile.
        """
        settings = self._settings
        tried_at = -math.inf
        while True:
            isolated = self._isolation.last is not None and self._isolation.last.isolated
            if self.fault is None and isolated:
                is_old = self._isolation.seconds_since_verdict >= settings.isolation_seconds
                due = is_old and bool(self._running)
            else:
                due = time.monotonic() - tried_at >= settings.reaper_seconds
            if due:
                await self._check_host()
                tried_at = time.monotonic()
                isolated = self._isolation.last is not None and self._isolation.last.isolated
            metrics.ISOLATED.set(isolated)
            await asyncio.sleep(min(ISOLATION_LOOK_SECONDS, settings.reaper_seconds))

    async def _check_host(self) -> None:
        try:
            if self.fault is not None or self._isolation.last is None:
                await check_calls_are_allowed(self._engine)
            await self._isolation.check_host()
        except (EngineError, SessionFailedError, SubnetPoolExhaustedError) as error:
            self.fault = str(error) or type(error).__name__
            log.warning("isolation check: %s", self.fault)
        else:
            self.fault = None
