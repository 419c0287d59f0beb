"""Follows the orchestrator's events: delivered at least once, stored exactly once.

One transaction stores a page and moves the position from the old value to the new. A follower that was
frozen, or one of two that run side by side, finds the position moved, stores nothing and continues there.

No page can stop it for good. A process begins with pages of one event and doubles them, so that after a crash
the same events arrive in smaller pages. A page that cannot be stored is requested again in halves until one
event is left: that one is stored as refused, and the position moves on.
"""

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.errors import DATABASE_ERRORS
from approval_api.follower import position as positions
from approval_api.follower import repository
from approval_api.orchestrator.client import PAGE_EVENTS, Position, ReadPage
from approval_api.orchestrator.errors import OrchestratorError, PageRefusedError
from approval_api.orchestrator.page_head import PageHead
from approval_api.telemetry.metrics import Metrics
from dryrun_contract.event import PAGE_BYTES, Event, EventPage, EventRefused, Snapshot
from dryrun_contract.text import printable

logger = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 10.0
_REST_SECONDS = 0.1
"""Rest after a page, so that a burst of events is a few pages: each costs a request and a transaction, 10 ms
of processor. An event that comes alone is not delayed."""
_LONGEST_REST_IN_BURST_SECONDS = 0.3
"""While page after page is there at once, rests grow up to this: twenty targets take half the pages."""
_FULL_BYTES = PAGE_BYTES // 2
"""A page beyond this was full, though not of events."""
_AT_ONCE_SECONDS = 0.05
"""A request answered within this did not wait for an event."""
_LONGEST_REST_SECONDS = 0.5


class EventSource(Protocol):
    """Where events come from."""

    async def events(self, after: Position | None, *, wait: bool, limit: int) -> ReadPage | Snapshot:
        """Return at most `limit` events after the position, or a snapshot when it is gone.

        Raises PageRefusedError when these events cannot be read.
        """
        ...


class GapError(Exception):
    """Events are missing, or the journal changed without a snapshot; nothing was stored."""


@dataclass(frozen=True, slots=True)
class FollowerState:
    """Whether events are being followed, for readiness and pages."""

    following: bool
    detail: str
    since: datetime


class Follower:
    """Stores the events of the orchestrator; see `run`."""

    def __init__(self, engine: AsyncEngine, source: EventSource, metrics: Metrics) -> None:
        """Store the events of `source` by `engine`."""
        self._engine = engine
        self._source = source
        self._metrics = metrics
        self._limit = PAGE_EVENTS
        """Events of the next page."""
        self._stored_for = 0.0
        """Seconds that reading and storing the last page took."""
        self._rest = _REST_SECONDS
        """Seconds to rest after the last page."""
        self.state = FollowerState(following=False, detail="starting", since=datetime.now(UTC))

    async def run(self) -> None:
        """Follow until cancelled. A failure is retried, first after 0.2 s and finally every 10 s."""
        failures = 0
        # Events that crashed an earlier process arrive in small pages.
        self._limit = 1
        while True:
            try:
                stored = await self.follow_once()
            except Exception as error:  # noqa: BLE001  # whatever it was, the next page is smaller
                self._limit = max(1, self._limit // 2)
                self._note_state(following=False, detail=f"{type(error).__name__}: {error}")
                pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2**failures)
                failures = min(failures + 1, 10)
                # Jitter only spreads several processes; it protects nothing.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # see above
            else:
                failures = 0
                if stored < self._limit:
                    # Large events cost everybody's processor: rest as long as the page took. Nor does an
                    # orchestrator that answers at once, and with nothing, keep this one busy.
                    await asyncio.sleep(min(_LONGEST_REST_SECONDS, max(self._rest, self._stored_for)))

    async def follow_once(self) -> int:
        """Request the events after the stored position once, and store them; return how many were new."""
        count, rest, self._rest = 0, self._rest, _REST_SECONDS
        async with self._engine.connect() as connection:
            known = await positions.load(connection)
        try:
            # The first request does not wait, so that readiness does not depend on an event.
            begun = time.monotonic()
            answer = await self._source.events(known.position, wait=self.state.following, limit=self._limit)
            at_once = time.monotonic() - begun < _AT_ONCE_SECONDS
            begun = time.monotonic()
            if isinstance(answer, Snapshot):
                await self.store_snapshot(known, answer)
                self._stored_for = time.monotonic() - begun
            else:
                await self._store_answer(known.position, answer.page)
                self._stored_for = answer.seconds + time.monotonic() - begun
                # What is known already is no reason to hurry, however much of it there is.
                last = answer.page.events[-1].seq if answer.page.events else 0
                count = max(0, last - (known.position.seq if known.position else 0))
            # A full page, or one to be halved, leaves events behind: those wait only as long as it took.
            is_large = isinstance(answer, ReadPage) and answer.size > _FULL_BYTES
            is_full = count == self._limit or (count > 0 and is_large)
            if is_full:
                self._rest = 0.0
            elif at_once:
                self._rest = min(_LONGEST_REST_IN_BURST_SECONDS, rest + _REST_SECONDS)
        except PageRefusedError as refusal:
            if self._limit == 1:
                await self._refuse(known.position, refusal)
            else:
                self._limit //= 2
        else:
            self._limit = min(PAGE_EVENTS, 2 * self._limit)
        self._note_state(following=True, detail="following the orchestrator's events")
        return count

    async def _store_answer(self, old: Position | None, page: EventPage) -> None:
        """Store a page. Raises PageRefusedError when its content is at fault."""
        try:
            await self.store_page(old, page)
        except Exception as error:
            if not page.events or not _is_of_the_content(error):
                raise
            first = page.events[0]
            head = PageHead(
                page.journal,
                first.seq,
                first.session_id,
                first.data.type,
                len(first.model_dump_json(fallback=str).encode("utf-8", "replace")),
            )
            raise PageRefusedError(f"cannot be stored: {_in_short(error)}", head) from error

    async def _refuse(self, old: Position | None, refusal: PageRefusedError) -> None:
        """Store the event after `old` as refused, or skip it when nothing is known about it."""
        head, reason = refusal.head, printable(str(refusal), limit=400)
        logger.error(
            "an event cannot be stored; its session's history is not complete",
            extra={"reason": reason, "event": str(head)},
        )
        if head is not None:
            refused = EventRefused(claimed_type=head.type, size=head.size, reason=reason)
            event = Event(
                journal=head.journal,
                seq=head.seq,
                session_id=head.session_id,
                at=datetime.now(UTC),
                data=refused,
            )
            moved = await self.store_page(old, EventPage(journal=head.journal, events=(event,)))
        elif old is not None:
            async with self._engine.begin() as connection:
                moved = await positions.move(connection, old, Position(old.journal, old.seq + 1))
                if moved:
                    await repository.doubt_unfinished(connection)
        else:
            raise GapError(f"the first page of events cannot be read: {reason}")
        if moved:
            self._metrics.refused_events.inc()

    async def store_page(self, old: Position | None, page: EventPage) -> bool:
        """Store the page after `old`; False when another follower was faster.

        Raises GapError when the page does not continue `old`.
        """
        events = _continuing(old, page)
        new = Position(page.journal, events[-1].seq if events else (old.seq if old else 0))
        if new == old:
            return True
        async with self._engine.begin() as connection:
            if not await positions.move(connection, old, new):
                return False
            stored = await repository.store_events(connection, events) if events else 0
        if stored < len(events):
            logger.error(
                "the orchestrator sent other events under known numbers; was its journal set back?",
                extra={"journal": str(page.journal), "numbers": [event.seq for event in events][:3]},
            )
        self._metrics.events.inc(stored)
        self._metrics.follower_seq.set(new.seq)
        return True

    async def store_snapshot(self, known: positions.KnownPosition, snapshot: Snapshot) -> bool:
        """Continue from `snapshot`; False when another follower moved the position meanwhile.

        A journal that is new here is read from its first event, which a session may have begun with already.
        If it no longer has that, the next answer is its snapshot again.
        """
        async with self._engine.begin() as connection:
            is_new = (
                known.position is not None
                and known.position.journal != snapshot.journal
                and not await repository.knows_journal(connection, snapshot.journal)
            )
            new = Position(snapshot.journal, 0 if is_new else snapshot.seq)
            if not await positions.move(connection, known.position, new):
                return False
            await repository.end_unknown(connection, snapshot, known.read_at)
            if not is_new:
                await repository.reconcile(connection, snapshot)
        self._metrics.snapshots.inc()
        self._metrics.follower_seq.set(new.seq)
        logger.warning(
            "the position was not in the orchestrator's journal; continued from %s",
            "the first event of another" if is_new else "its snapshot",
            extra={
                "old": f"{known.position.journal}:{known.position.seq}" if known.position else None,
                "new": f"{new.journal}:{new.seq}",
                "sessions": len(snapshot.sessions),
            },
        )
        return True

    def _note_state(self, *, following: bool, detail: str) -> None:
        """Keep the state, and log it when it changed."""
        self._metrics.follower_up.set(following)
        if (self.state.following, self.state.detail) == (following, detail):
            return
        self.state = FollowerState(following=following, detail=detail, since=datetime.now(UTC))
        logger.log(
            logging.INFO if following else logging.WARNING,
            "following events" if following else "cannot follow events; trying again",
            extra={"reason": detail},
        )


_CONTENT_STATES = frozenset({"22", "23", "54"})
"""SQLSTATE classes that blame the values: data exception, constraint violation, limit exceeded."""
_ELSEWHERE = (PageRefusedError, OrchestratorError, GapError, MemoryError)


def _is_of_the_content(error: Exception) -> bool:
    """Return whether the events are at fault and would fail again, not a database that is away or slow."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        return str(state)[:2] in _CONTENT_STATES or (state is None and isinstance(error, DataError))
    return not isinstance(error, (*DATABASE_ERRORS, *_ELSEWHERE))


def _in_short(error: Exception) -> str:
    # SQLAlchemy's own text quotes the statement and its parameters, which a collector wrote.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(cause).__name__}: {cause}"


def _continuing(old: Position | None, page: EventPage) -> list[Event]:
    """Return the page's events beyond `old`. Raises GapError unless they continue it without a gap."""
    if old is not None and page.journal != old.journal:
        raise GapError(
            f"asked for events after {old.journal}:{old.seq} and got those of journal {page.journal}"
        )
    expected = (old.seq if old else 0) + 1
    fresh = []
    for event in page.events:
        if event.journal != page.journal:
            raise GapError(f"event {event.seq} is of journal {event.journal}, its page of {page.journal}")
        if event.seq < expected:
            continue
        if event.seq != expected:
            raise GapError(f"expected event {expected} of journal {page.journal} and got {event.seq}")
        fresh.append(event)
        expected += 1
    return fresh
