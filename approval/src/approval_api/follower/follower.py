"""Follows the orchestrator's events: delivered at least once, in effect exactly once.

One transaction stores a page and moves the position from the old value to the new. A follower that was
frozen, or one of two that run side by side, finds the position moved, stores nothing, and goes on from there.
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.follower import position as positions
from approval_api.follower import repository
from approval_api.metrics import Metrics
from approval_api.orchestrator.client import OrchestratorRefusedError, OrchestratorUnavailableError, Position
from dryrun_contract.event import Event, EventPage, Snapshot

logger = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 10.0


class EventSource(Protocol):
    """Where events come from."""

    async def events(self, after: Position | None, *, wait: bool) -> EventPage | Snapshot:
        """Return what came after the position, or a snapshot when it is gone."""
        ...


class GapError(Exception):
    """The orchestrator left events out, or changed its journal without saying so; nothing was stored."""


@dataclass(frozen=True, slots=True)
class FollowerState:
    """Whether events are being followed, for readiness and people."""

    following: bool
    detail: str
    since: datetime


class Follower:
    """Follows for ever; see `run`."""

    def __init__(self, engine: AsyncEngine, source: EventSource, metrics: Metrics) -> None:
        """Store what `source` tells through `engine`."""
        self._engine = engine
        self._source = source
        self._metrics = metrics
        self.state = FollowerState(following=False, detail="starting", since=datetime.now(UTC))

    async def run(self) -> None:
        """Follow until cancelled. Whatever fails is tried again, first soon and at last every 10 s."""
        failures = 0
        while True:
            try:
                await self.follow_once()
            except (
                OrchestratorUnavailableError,
                OrchestratorRefusedError,
                SQLAlchemyError,
                OSError,
                GapError,
            ) as error:
                self._tell(following=False, detail=f"{type(error).__name__}: {error}")
                pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2**failures)
                failures = min(failures + 1, 10)
                # Jitter only spreads several processes; it protects nothing.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # see above
            else:
                failures = 0

    async def follow_once(self) -> None:
        """Ask once for what comes after the stored position, and store it."""
        async with self._engine.connect() as connection:
            known = await positions.load(connection)
        # The first answer comes at once, so that readiness does not wait for an event.
        answer = await self._source.events(known.position, wait=self.state.following)
        if isinstance(answer, Snapshot):
            await self.store_snapshot(known, answer)
        else:
            await self.store_page(known.position, answer)
        self._tell(following=True, detail="following the orchestrator's events")

    async def store_page(self, old: Position | None, page: EventPage) -> bool:
        """Store a page that was asked for after `old`; False when somebody else was faster.

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
                "the orchestrator told other events under known numbers; was its journal set back?",
                extra={"journal": str(page.journal), "numbers": [event.seq for event in events][:3]},
            )
        self._metrics.events.inc(stored)
        self._metrics.follower_seq.set(new.seq)
        return True

    async def store_snapshot(self, known: positions.KnownPosition, snapshot: Snapshot) -> bool:
        """Go on from `snapshot`; False when somebody else moved the position meanwhile."""
        new = Position(snapshot.journal, snapshot.seq)
        async with self._engine.begin() as connection:
            if not await positions.move(connection, known.position, new):
                return False
            await repository.reconcile(connection, snapshot, known.read_at)
        self._metrics.snapshots.inc()
        self._metrics.follower_seq.set(new.seq)
        logger.warning(
            "the position was not in the orchestrator's journal; went on from its snapshot",
            extra={
                "old": f"{known.position.journal}:{known.position.seq}" if known.position else None,
                "new": f"{new.journal}:{new.seq}",
                "sessions": len(snapshot.sessions),
            },
        )
        return True

    def _tell(self, *, following: bool, detail: str) -> None:
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
