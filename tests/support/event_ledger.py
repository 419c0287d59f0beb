"""Compares what PostgreSQL holds with the orchestrator's journal, by reading both directly."""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx2
from local_stack import Stack
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from dryrun_contract.event import Event, EventPage

type Row = tuple[int, str, str, dict[str, Any]]
"""Number, session, type, data."""


def journal_rows(stack: Stack) -> list[Row]:
    path = stack.installation.state / "orchestrator" / "journal.sqlite3"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as journal:
        found = journal.execute("SELECT seq, session_id, type, data FROM events ORDER BY seq").fetchall()
    journal.close()
    return [(seq, session, kind, json.loads(data)) for seq, session, kind, data in found]


async def query(stack: Stack, sql: str) -> list[Any]:
    engine = create_async_engine(stack.database_url)
    try:
        async with engine.connect() as connection:
            return list((await connection.execute(text(sql))).all())
    finally:
        await engine.dispose()


async def stored_rows(stack: Stack) -> list[Row]:
    found = await query(
        stack, "SELECT seq, session_id::text, type, data FROM gateway.dryrun_events ORDER BY journal, seq"
    )
    return [tuple(row) for row in found]


async def require_every_event_once(stack: Stack, seconds: float = 60) -> None:
    """PostgreSQL has the journal's events, each once and none else; discoveries follow from them."""
    deadline = time.monotonic() + seconds
    while True:
        stored, written = await stored_rows(stack), journal_rows(stack)
        kept = await query(
            stack, "SELECT dryrun_session_id::text, collector, kind, key FROM gateway.dryrun_discoveries"
        )
        # Another session may go on meanwhile: both are to be read of one moment.
        if len(stored) >= len(written) and len(await stored_rows(stack)) == len(stored):
            break
        assert time.monotonic() < deadline, f"{len(stored)} of {len(written)} events arrived in {seconds} s"
        await asyncio.sleep(0.1)
    assert [row[0] for row in stored] == list(range(1, len(written) + 1))
    assert stored == written
    lines = [
        (session, data["collector"], data["run"], data["line"])
        for _, session, kind, data in stored
        if kind == "discovery_reported"
    ]
    assert [line for line, times in Counter(lines).items() if times > 1] == []
    keys = {
        (session, data["collector"], data["discovery"]["kind"], data["discovery"]["key"])
        for _, session, kind, data in stored
        if kind == "discovery_reported"
    }
    assert Counter(map(tuple, kept)) == Counter(keys)


class Tail:
    """Reads the orchestrator's events as they happen, across its restarts; nothing is skipped."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._position: str | None = None
        self._ahead: list[Event] = []

    async def until(self, session_id: UUID, wanted: Callable[[Event], bool], seconds: float = 60) -> Event:
        """Return the next event of the session that is wanted. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            async for event in self._events():
                if event.session_id == session_id and wanted(event):
                    return event
        raise AssertionError("the events never end")

    async def _events(self) -> AsyncIterator[Event]:
        while True:
            while self._ahead:
                event = self._ahead.pop(0)
                self._position = f"{event.journal}:{event.seq}"
                yield event
            try:
                after = f"&after={self._position}" if self._position else ""
                response = await self._stack.orchestrator_get(f"/events?wait=20{after}")
                self._ahead = list(EventPage.model_validate_json(response.raise_for_status().content).events)
            except httpx2.TransportError:
                await asyncio.sleep(0.02)
