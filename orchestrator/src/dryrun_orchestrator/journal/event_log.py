"""The journal's events: one gapless sequence, read by position, kept until it is acknowledged and a week old.

`publish` and `forget` run in the journal's thread, inside the caller's transaction; `signal` and `wake` in
the event loop.
"""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from dryrun_contract.collector_config import MAX_CONFIG_BYTES, ConfigError
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import MAX_EVENT_BYTES, PAGE_BYTES, EventRefused
from dryrun_orchestrator.journal.errors import JournalWriteError
from dryrun_orchestrator.journal.records import text_of

logger = logging.getLogger(__name__)

KEEP_ACKNOWLEDGED = timedelta(days=7)
"""How old an acknowledged event becomes before it is deleted, so that a restored database can catch up."""
MAX_EVENTS = 500_000
MAX_BYTES = 2 * 1024**3
"""Beyond either limit the oldest events are deleted, acknowledged or not."""
type StoredEvent = tuple[str, str]
"""Type and data as JSON."""


class InThread(Protocol):
    """Runs work in the journal's thread, or there in one transaction."""

    def __call__[T](self, work: Callable[[], T]) -> Awaitable[T]:
        """Return what `work` returns; of a transaction, once it is on disk."""
        ...


class PositionGoneError(Exception):
    """The requested position is not in this journal: another journal, too old, or from the future."""


class EventLog:
    """The events of one journal; use `Journal.events`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        journal_id: UUID,
        now: Callable[[], datetime],
        do: InThread,
        transaction: InThread,
    ) -> None:
        self._connection = connection
        self._journal_id = journal_id
        self._now = now
        self._do = do
        self._transaction = transaction
        self._appended = asyncio.Event()

    async def after(self, position: tuple[UUID, int] | None, limit: int) -> list[str]:
        """Acknowledge `position` and return the JSON of at most `limit` events after it, oldest first.

        A page has at most PAGE_BYTES, or one larger event. An event of more than MAX_EVENT_BYTES is returned
        as refused. Nothing is parsed, so an event costs no more memory than its bytes.

        Raises PositionGoneError when the position belongs to another journal, is older than the oldest event
        kept, or newer than the newest.
        """

        def read() -> list[str]:
            newest, oldest = self._newest(), self._oldest()
            journal, last = position or (self._journal_id, 0)
            if journal != self._journal_id or last > newest or last < oldest - 1:
                raise PositionGoneError
            page: list[str] = []
            size = 0
            for row in self._connection.execute(
                "SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (last, limit)
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
        except JournalWriteError as error:
            logger.warning("what was read cannot be noted: %s", error)

    async def newest(self) -> int:
        """Return the newest sequence number; 0 before the first event."""
        return await self._do(self._newest)

    def signal(self) -> asyncio.Event:
        """Return the event that the next append sets. Get it before reading, so that no append is missed."""
        return self._appended

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

    def wake(self) -> None:
        """Say that there are new events."""
        self._appended.set()
        self._appended = asyncio.Event()

    def publish(self, session_id: UUID, events: Sequence[StoredEvent]) -> None:
        """Append events with the next numbers."""
        # The counter is stored: an SQLite key restarts once its table is emptied.
        seq = self._newest()
        at = text_of(self._now())
        for kind, data in events:
            seq += 1
            self._connection.execute(
                "INSERT INTO events (seq, session_id, at, type, data) VALUES (?,?,?,?,?)",
                (seq, str(session_id), at, kind, data),
            )
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'newest'", (str(seq),))

    def forget(self, acknowledged_before: str, now: str) -> None:
        """Delete events acknowledged and older than a moment, and the oldest ones beyond the bounds.

        A clock that was wrong for a while stamped events in what is now the future: each of them goes with
        the first one after it whose stamp can be right.
        """
        newest = self._newest()
        # Events are numbered in the order of time: the first one to keep ends the search.
        kept = self._connection.execute(
            "SELECT seq FROM events WHERE at BETWEEN ? AND ? OR seq >"
            " (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'acknowledged') ORDER BY seq LIMIT 1",
            (acknowledged_before, now),
        ).fetchone()
        old = self._connection.execute(
            "SELECT seq FROM events WHERE at < ? AND seq < ? ORDER BY seq DESC LIMIT 1",
            (acknowledged_before, newest + 1 if kept is None else int(kept[0])),
        ).fetchone()
        last = max(0 if old is None else int(old[0]), newest - MAX_EVENTS)
        self._connection.execute("DELETE FROM events WHERE seq <= ?", (last,))
        while self._size() > MAX_BYTES and (oldest := self._oldest()) <= (newest := self._newest()):
            sixteenth = (newest - oldest) // 16
            self._connection.execute("DELETE FROM events WHERE seq <= ?", (oldest + sixteenth,))

    def _newest(self) -> int:
        return int(meta(self._connection, "newest", "0"))

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

    def _event(self, row: sqlite3.Row) -> str:
        """Return the event as `Event.model_dump_json` would write it, its data as stored."""
        data: str = row["data"]
        size = len(data.encode())
        if size > MAX_EVENT_BYTES:
            data = EventRefused(
                claimed_type=row["type"], size=size, reason=f"longer than {MAX_EVENT_BYTES} bytes"
            ).model_dump_json()
        return (
            f'{{"journal":"{self._journal_id}","seq":{row["seq"]},"session_id":"{row["session_id"]}",'
            f'"at":"{row["at"]}","data":{data}}}'
        )


def meta(connection: sqlite3.Connection, key: str, default: str) -> str:
    """Return a value that the journal keeps of itself; store `default` where there is none."""
    # Nothing is stored where there is one: it is read often, also while another program writes.
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        connection.execute("INSERT INTO meta VALUES (?,?)", (key, default))
    return default if row is None else str(row[0])
