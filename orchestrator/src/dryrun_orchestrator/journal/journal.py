"""State that the orchestrator keeps across a crash: sessions, targets, runs; and the events (`event_log`).

One SQLite file, WAL, `synchronous=FULL`: once a call returns, its change is on disk. A change of state and
the events that report it are one transaction, so that a crash leaves both or neither.
"""

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

from dryrun_contract.event import EventData
from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.journal import readiness
from dryrun_orchestrator.journal.errors import JournalError, advice
from dryrun_orchestrator.journal.event_log import KEEP_ACKNOWLEDGED, EventLog, meta
from dryrun_orchestrator.journal.journal_file import JournalFile
from dryrun_orchestrator.journal.opening import locked, prepare, require_known_version
from dryrun_orchestrator.journal.prepared_sessions import PreparedSessions
from dryrun_orchestrator.journal.records import (
    RunRecord,
    SessionRecord,
    TargetRecord,
    change_session,
    text_of,
)

FILE = "journal.sqlite3"
MAX_SESSIONS = 5_000
"""Most sessions kept; beyond it the ones that ended first are deleted."""


class Journal:
    """The journal of one orchestrator, locked by its process. Use `open` and `close`."""

    def __init__(
        self, connection: sqlite3.Connection, lock: int, now: Callable[[], datetime], path: Path
    ) -> None:
        self._file = file = JournalFile(connection, lock, path)
        self._now = now
        self.id = UUID(meta(connection, "journal_id", str(uuid4())))
        self.events = EventLog(connection, self.id, now, file.do, file.transaction)
        self.pool = PreparedSessions(connection, file.transaction, self.events.publish, self.events.wake)

    @classmethod
    def open(cls, folder: Path, now: Callable[[], datetime] = utc_now) -> Self:
        """Open or create the journal in `folder`.

        Raises JournalError when another process has it, or when it cannot be used.
        """
        path = folder / FILE
        with ExitStack() as undo:
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = locked(folder)
                undo.callback(os.close, lock)
                connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                undo.callback(connection.close)
                require_known_version(connection, path)
                prepare(connection)
                path.chmod(0o600)
                journal = cls(connection, lock, now, path)
            except (sqlite3.Error, OSError) as error:
                raise JournalError(f"cannot use {path}: {error}; {advice(error, folder)}") from error
            undo.pop_all()
        return journal

    async def close(self) -> None:
        """Finish pending writes and release the lock."""
        await self._file.close()

    async def fault(self) -> str | None:
        """Return why changes cannot be stored; None when they can."""
        return await self._file.fault()

    # sessions

    async def add_session(self, session: SessionRecord, event: EventData) -> SessionRecord:
        """Store a new session with its first event; for a known id, return the stored session unchanged."""

        def add() -> bool:
            fresh = self._file.connection.execute(
                "INSERT INTO sessions (id, template, template_digest, seed, keep, actor, phase, created_at,"
                " phase_since, installed, scan, traceparent) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (id) DO NOTHING",
                (
                    str(session.id), session.template, session.template_digest, session.seed, session.keep,
                    session.actor, session.phase, text_of(session.created_at), text_of(session.phase_since),
                    session.installed, session.scan.model_dump_json(), session.traceparent,
                ),
            ).rowcount  # fmt: skip
            if fresh:
                self._append(session.id, (event,))
            return bool(fresh)

        if await self._file.transaction(add):
            self.events.wake()
        return await self.session(session.id)

    async def session(self, session_id: UUID) -> SessionRecord:
        """Return one session. Raises KeyError when it is unknown."""
        rows = await self._file.rows("SELECT * FROM sessions WHERE id = ?", str(session_id))
        if not rows:
            raise KeyError(session_id)
        return SessionRecord.from_row(rows[0])

    async def has(self, session_id: UUID) -> bool:
        """Return whether a session is known."""
        return bool(await self._file.rows("SELECT 1 FROM sessions WHERE id = ?", str(session_id)))

    async def sessions(self) -> list[SessionRecord]:
        """Return all sessions, oldest first: up to MAX_SESSIONS, which hold the event loop up for 0.2 s."""
        rows = await self._file.rows("SELECT * FROM sessions ORDER BY created_at, id")
        return [SessionRecord.from_row(row) for row in rows]

    async def unfinished(self) -> list[SessionRecord]:
        """Return the sessions with anything left to do, oldest first.

        They have not ended, are of the pool, or the swarm still holds their overlay.
        """
        rows = await self._file.rows(
            "SELECT * FROM sessions WHERE phase != 'ended' OR pool IS NOT NULL OR held_overlay IS NOT NULL"
            " ORDER BY created_at, id"
        )
        return [SessionRecord.from_row(row) for row in rows]

    async def update_session(
        self, session_id: UUID, *events: EventData, **changes: str | int | datetime | Phase | Outcome | None
    ) -> SessionRecord:
        """Change columns of a session and append events, in one transaction."""
        await self._write(
            session_id, events, lambda: change_session(self._file.connection, session_id, changes)
        )
        return await self.session(session_id)

    # targets

    async def targets(self, session_id: UUID) -> dict[str, TargetRecord]:
        """Return the session's targets by service name."""
        rows = await self._file.rows("SELECT * FROM targets WHERE session_id = ?", str(session_id))
        return {row["service"]: TargetRecord.from_row(row) for row in rows}

    async def put_target(self, session_id: UUID, target: TargetRecord, *events: EventData) -> None:
        """Store a target's state with the events that report it, in one transaction."""

        def put() -> None:
            self._file.connection.execute(
                "INSERT INTO targets (session_id, service, image, image_id, container_id, address, state,"
                " harm) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (session_id, service) DO UPDATE SET"
                " container_id=excluded.container_id, address=excluded.address, state=excluded.state,"
                " harm=excluded.harm",
                (
                    str(session_id), target.service, target.image, target.image_id,
                    target.container_id, target.address, target.state, target.harm,
                ),
            )  # fmt: skip

        await self._write(session_id, events, put)

    async def readiness(self) -> dict[str, float]:
        """Return how many seconds images took from start to ready, by image id, as far as known."""
        return await self._file.do(lambda: readiness.read(self._file.connection))

    async def remember_readiness(self, seconds: Mapping[str, float]) -> None:
        """Take in how many seconds images took from start to ready."""
        at = text_of(self._now())
        await self._file.transaction(lambda: readiness.remember(self._file.connection, seconds, at))

    # collector runs

    async def runs(self, session_id: UUID) -> dict[str, RunRecord]:
        """Return the session's collector runs by collector name."""
        rows = await self._file.rows("SELECT * FROM runs WHERE session_id = ?", str(session_id))
        return {row["collector"]: RunRecord.from_row(row) for row in rows}

    async def put_run(self, session_id: UUID, run: RunRecord, *events: EventData) -> None:
        """Store how far a run was read with the events read, in one transaction."""

        def put() -> None:
            self._file.connection.execute(
                "INSERT INTO runs (session_id, collector, run, state, lines, discoveries, warnings,"
                " started_at) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (session_id, collector) DO UPDATE SET"
                " state=excluded.state, lines=excluded.lines, discoveries=excluded.discoveries,"
                " warnings=excluded.warnings, started_at=excluded.started_at",
                (
                    str(session_id), run.collector, run.run, run.state, run.lines, run.discoveries,
                    run.warnings, text_of(run.started_at),
                ),
            )  # fmt: skip

        await self._write(session_id, events, put)

    # events

    async def append(self, session_id: UUID, *events: EventData) -> None:
        """Append events that go with no change of state."""
        await self._write(session_id, events, lambda: None)

    async def prune(self) -> None:
        """Delete acknowledged events older than 7 days, the oldest beyond the bounds, and old sessions."""

        def forget() -> None:
            now = self._now()
            limit = text_of(now - KEEP_ACKNOWLEDGED)
            self.events.forget(limit, text_of(now))
            self._file.connection.execute(
                "DELETE FROM sessions WHERE phase = 'ended' AND held_overlay IS NULL AND ("
                "(ended_at < ? AND id NOT IN (SELECT session_id FROM events)) OR id NOT IN"
                " (SELECT id FROM sessions ORDER BY phase = 'ended', ended_at DESC LIMIT ?))",
                (limit, MAX_SESSIONS),
            )
            self.pool.forget(now)

        await self._file.transaction(forget)

    # inside the journal's thread

    def _append(self, session_id: UUID, events: Sequence[EventData]) -> bool:
        """Return whether there are new events for readers: those of a prepared session wait for its claim."""
        stored = [(event.type, event.model_dump_json()) for event in events]
        if not stored or self.pool.defer(session_id, stored):
            return False
        self.events.publish(session_id, stored)
        return True

    # into the journal's thread

    async def _write(self, session_id: UUID, events: Sequence[EventData], change: Callable[[], None]) -> None:
        def write() -> bool:
            change()
            return self._append(session_id, events)

        if await self._file.transaction(write):
            self.events.wake()
