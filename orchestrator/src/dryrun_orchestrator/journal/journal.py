"""State that the orchestrator keeps across a crash: sessions, their targets and runs, and events.

One SQLite file, WAL, `synchronous=FULL`: once a call returns, its change is on disk. A change of state and
the events that report it are one transaction, so that a crash leaves both or neither.
"""

import asyncio
import fcntl
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

from dryrun_contract.collector_config import MAX_CONFIG_BYTES, ConfigError
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import MAX_EVENT_BYTES, PAGE_BYTES, EventData, EventRefused
from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.journal import readiness
from dryrun_orchestrator.journal.prepared_sessions import PreparedSessions, StoredEvent
from dryrun_orchestrator.journal.records import RunRecord, SessionRecord, TargetRecord
from dryrun_orchestrator.journal.schema import LATER_COLUMNS, SCHEMA

logger = logging.getLogger(__name__)

KEEP_ACKNOWLEDGED = timedelta(days=7)
"""How long acknowledged events stay, so that a restored database can catch up."""
MAX_EVENTS = 500_000
MAX_BYTES = 2 * 1024**3
"""Beyond either limit the oldest events are deleted, acknowledged or not."""
MAX_SESSIONS = 5_000
"""Most sessions kept; beyond it the ones that ended first are deleted."""


class JournalError(Exception):
    """The journal cannot be used; the message says why and what to do."""


class PositionGoneError(Exception):
    """The requested position is not in this journal: another journal, too old, or from the future."""


class Journal:
    """The journal of one orchestrator, locked by its process. Use `open` and `close`."""

    def __init__(self, connection: sqlite3.Connection, lock: int, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._lock = lock
        self._now = now
        # SQLite blocks, and transactions must not interleave: one thread does all the work, in order.
        self._thread = ThreadPoolExecutor(1, "journal")
        self._appended = asyncio.Event()
        self.pool = PreparedSessions(connection, self._transaction, self._publish, self._wake)
        self.id = UUID(self._meta("journal_id", str(uuid4())))

    @classmethod
    def open(cls, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open or create the journal in `folder`. Raises JournalError when another process has it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise JournalError(
                f"another orchestrator works with the journal in {folder}; stop it, or give this one "
                "another state folder"
            ) from error
        path = folder / "journal.sqlite3"
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.executescript(SCHEMA)
            there = {row["name"] for row in connection.execute("PRAGMA table_info(sessions)")}
            for name, kind in LATER_COLUMNS.items():
                if name not in there:
                    connection.execute(f"ALTER TABLE sessions ADD COLUMN {name} {kind}")
            path.chmod(0o600)
        except sqlite3.Error as error:
            os.close(lock)
            raise JournalError(f"cannot use {path}: {error}; move it away to start a new journal") from error
        return cls(connection, lock, now)

    async def close(self) -> None:
        """Finish pending writes and release the lock."""
        await self._do(self._connection.close)
        self._thread.shutdown()
        os.close(self._lock)

    # sessions

    async def add_session(self, session: SessionRecord, event: EventData) -> SessionRecord:
        """Store a new session with its first event; for a known id, return the stored session unchanged."""

        def add() -> bool:
            fresh = self._connection.execute(
                "INSERT INTO sessions (id, template, template_digest, seed, keep, actor, phase, created_at,"
                " phase_since, installed, scan, traceparent) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (id) DO NOTHING",
                (
                    str(session.id), session.template, session.template_digest, session.seed, session.keep,
                    session.actor, session.phase, _text(session.created_at), _text(session.phase_since),
                    session.installed, session.scan.model_dump_json(), session.traceparent,
                ),
            ).rowcount  # fmt: skip
            if fresh:
                self._append(session.id, (event,))
            return bool(fresh)

        if await self._transaction(add):
            self._wake()
        return await self.session(session.id)

    async def session(self, session_id: UUID) -> SessionRecord:
        """Return one session. Raises KeyError when it is unknown."""
        rows = await self._rows("SELECT * FROM sessions WHERE id = ?", str(session_id))
        if not rows:
            raise KeyError(session_id)
        return SessionRecord.from_row(rows[0])

    async def sessions(self) -> list[SessionRecord]:
        """Return all sessions, oldest first."""
        rows = await self._rows("SELECT * FROM sessions ORDER BY created_at, id")
        return [SessionRecord.from_row(row) for row in rows]

    async def update_session(
        self, session_id: UUID, *events: EventData, **changes: str | int | datetime | Phase | Outcome | None
    ) -> SessionRecord:
        """Change columns of a session and append events, in one transaction."""
        await self._write(session_id, events, lambda: self._set("sessions", {"id": str(session_id)}, changes))
        return await self.session(session_id)

    # targets

    async def targets(self, session_id: UUID) -> dict[str, TargetRecord]:
        """Return the session's targets by service name."""
        rows = await self._rows("SELECT * FROM targets WHERE session_id = ?", str(session_id))
        return {row["service"]: TargetRecord.from_row(row) for row in rows}

    async def put_target(self, session_id: UUID, target: TargetRecord, *events: EventData) -> None:
        """Store a target's state with the events that report it, in one transaction."""

        def put() -> None:
            self._connection.execute(
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
        return await self._do(lambda: readiness.read(self._connection))

    async def remember_readiness(self, seconds: Mapping[str, float]) -> None:
        """Take in how many seconds images took from start to ready."""
        at = _text(self._now())
        await self._transaction(lambda: readiness.remember(self._connection, seconds, at))

    # collector runs

    async def runs(self, session_id: UUID) -> dict[str, RunRecord]:
        """Return the session's collector runs by collector name."""
        rows = await self._rows("SELECT * FROM runs WHERE session_id = ?", str(session_id))
        return {row["collector"]: RunRecord.from_row(row) for row in rows}

    async def put_run(self, session_id: UUID, run: RunRecord, *events: EventData) -> None:
        """Store how far a run was read with the events read, in one transaction."""

        def put() -> None:
            self._connection.execute(
                "INSERT INTO runs (session_id, collector, run, state, lines, discoveries, warnings,"
                " started_at) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (session_id, collector) DO UPDATE SET"
                " state=excluded.state, lines=excluded.lines, discoveries=excluded.discoveries,"
                " warnings=excluded.warnings, started_at=excluded.started_at",
                (
                    str(session_id), run.collector, run.run, run.state, run.lines, run.discoveries,
                    run.warnings, _text(run.started_at),
                ),
            )  # fmt: skip

        await self._write(session_id, events, put)

    async def found(
        self, session_id: UUID, kinds: Collection[str], collectors: Collection[str]
    ) -> tuple[Discovery, ...]:
        """Return these collectors' discoveries of these kinds; of a repeated key, the last report.

        Raises ConfigError when they are more than a collector's configuration can hold.
        """

        def read() -> list[str]:
            last: dict[tuple[str, str], str] = {}
            size = 0
            for kind, key, discovery in self._connection.execute(
                "SELECT json_extract(data, '$.discovery.kind') AS kind,"
                " json_extract(data, '$.discovery.key'), json_extract(data, '$.discovery') FROM events"
                " WHERE session_id = ? AND type = 'discovery_reported'"
                " AND kind IN (SELECT value FROM json_each(?))"
                " AND json_extract(data, '$.collector') IN (SELECT value FROM json_each(?)) ORDER BY seq",
                (str(session_id), json.dumps(sorted(kinds)), json.dumps(sorted(collectors))),
            ):
                size += len(discovery) - len(last.get((kind, key), ""))
                if size > MAX_CONFIG_BYTES:
                    raise ConfigError(
                        f"what earlier collectors found is more than {MAX_CONFIG_BYTES} bytes, "
                        "the most that a collector's configuration holds"
                    )
                last[kind, key] = discovery
            return list(last.values())

        return tuple(map(Discovery.model_validate_json, await self._do(read)))

    # events

    async def append(self, session_id: UUID, *events: EventData) -> None:
        """Append events that go with no change of state."""
        await self._write(session_id, events, lambda: None)

    async def events_after(self, position: tuple[UUID, int] | None, limit: int) -> list[str]:
        """Acknowledge `position` and return the JSON of at most `limit` events after it, oldest first.

        A page has at most PAGE_BYTES, or one larger event. An event of more than MAX_EVENT_BYTES is returned
        as refused. Nothing is parsed, so an event costs no more memory than its bytes.

        Raises PositionGoneError when the position belongs to another journal, is older than the oldest event
        kept, or newer than the newest.
        """

        def read() -> list[str]:
            newest, oldest = self._newest(), self._oldest()
            journal, after = position or (self.id, 0)
            if journal != self.id or after > newest or after < oldest - 1:
                raise PositionGoneError
            page: list[str] = []
            size = 0
            for row in self._connection.execute(
                "SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ):
                event = self._event(row)
                size += len(event.encode())
                if page and size > PAGE_BYTES:
                    break
                page.append(event)
            return page

        page = await self._do(read)
        if position is not None:
            await self._acknowledge(position[1])
        return page

    async def _acknowledge(self, seq: int) -> None:
        """Note that events up to `seq` may be deleted; a full disk leaves that to a later page."""

        def note() -> None:
            self._connection.execute(
                "UPDATE meta SET value = ? WHERE key = 'acknowledged' AND CAST(value AS INTEGER) < ?",
                (str(seq), seq),
            )

        try:
            await self._transaction(note)
        except sqlite3.OperationalError as error:
            logger.warning("the journal cannot note what was read: %s", error)

    async def newest(self) -> int:
        """Return the newest sequence number; 0 before the first event."""
        return await self._do(self._newest)

    def signal(self) -> asyncio.Event:
        """Return the event that the next append sets. Get it before reading, so that no append is missed."""
        return self._appended

    async def prune(self) -> None:
        """Delete acknowledged events after 7 days, the oldest events beyond the bounds, and old sessions."""

        def forget() -> None:
            limit = _text(self._now() - KEEP_ACKNOWLEDGED)
            self._connection.execute(
                "DELETE FROM events WHERE (at < ? AND seq <="
                " (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'acknowledged')) OR seq <= ?",
                (limit, self._newest() - MAX_EVENTS),
            )
            while self._size() > MAX_BYTES and (oldest := self._oldest()) <= (newest := self._newest()):
                sixteenth = (newest - oldest) // 16
                self._connection.execute("DELETE FROM events WHERE seq <= ?", (oldest + sixteenth,))
            self._connection.execute(
                "DELETE FROM sessions WHERE phase = 'ended' AND held_overlay IS NULL AND ("
                "(ended_at < ? AND id NOT IN (SELECT session_id FROM events)) OR id NOT IN"
                " (SELECT id FROM sessions ORDER BY phase = 'ended', ended_at DESC LIMIT ?))",
                (limit, MAX_SESSIONS),
            )
            self.pool.forget(self._now())

        await self._transaction(forget)

    # inside the journal's thread

    def _append(self, session_id: UUID, events: Sequence[EventData]) -> bool:
        """Return whether there are new events for readers: those of a prepared session wait for its claim."""
        stored = [(event.type, event.model_dump_json()) for event in events]
        if not stored or self.pool.defer(session_id, stored):
            return False
        self._publish(session_id, stored)
        return True

    def _publish(self, session_id: UUID, events: Sequence[StoredEvent]) -> None:
        # The counter is stored: an SQLite key restarts once its table is emptied.
        seq = self._newest()
        at = _text(self._now())
        for kind, data in events:
            seq += 1
            self._connection.execute(
                "INSERT INTO events (seq, session_id, at, type, data) VALUES (?,?,?,?,?)",
                (seq, str(session_id), at, kind, data),
            )
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'newest'", (str(seq),))

    def _set(self, table: str, key: Mapping[str, str], changes: Mapping[str, object]) -> None:
        if not changes:
            return
        values = [_text(value) if isinstance(value, datetime) else value for value in changes.values()]
        # Column names are keyword arguments of this package, never input.
        assignments = ", ".join(f"{column} = ?" for column in changes)
        conditions = " AND ".join(f"{column} = ?" for column in key)
        self._connection.execute(
            f"UPDATE {table} SET {assignments} WHERE {conditions}",  # noqa: S608 - names, no values
            (*values, *key.values()),
        )

    def _newest(self) -> int:
        return int(self._meta("newest", "0"))

    def _oldest(self) -> int:
        row = self._connection.execute("SELECT min(seq) FROM events").fetchone()
        return int(row[0]) if row[0] is not None else self._newest() + 1

    def _size(self) -> int:
        """Return how many bytes of the file are in use."""
        pages, free, size = (
            int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def _meta(self, key: str, default: str) -> str:
        self._connection.execute("INSERT INTO meta VALUES (?,?) ON CONFLICT DO NOTHING", (key, default))
        return str(self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])

    def _event(self, row: sqlite3.Row) -> str:
        """Return the event as `Event.model_dump_json` would write it, its data as stored."""
        data: str = row["data"]
        size = len(data.encode())
        if size > MAX_EVENT_BYTES:
            data = EventRefused(
                claimed_type=row["type"], size=size, reason=f"longer than {MAX_EVENT_BYTES} bytes"
            ).model_dump_json()
        return (
            f'{{"journal":"{self.id}","seq":{row["seq"]},"session_id":"{row["session_id"]}",'
            f'"at":"{row["at"]}","data":{data}}}'
        )

    # into the journal's thread

    async def _write(self, session_id: UUID, events: Sequence[EventData], change: Callable[[], None]) -> None:
        def write() -> bool:
            change()
            return self._append(session_id, events)

        if await self._transaction(write):
            self._wake()

    def _wake(self) -> None:
        self._appended.set()
        self._appended = asyncio.Event()

    async def _transaction[T](self, work: Callable[[], T]) -> T:
        def transaction() -> T:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work()
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            return result

        return await self._do(transaction)

    async def _rows(self, query: str, *values: str) -> list[sqlite3.Row]:
        return await self._do(lambda: self._connection.execute(query, values).fetchall())

    async def _do[T](self, work: Callable[[], T]) -> T:
        # Shielded: the transaction of a cancelled caller still runs to its end.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
