"""One read of the table for all streams of a session: two hundred readers get the same events."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.events import repository
from approval_api.sessions import repository as sessions
from dryrun_contract.event import Event

PAGE = 500


@dataclass(frozen=True, slots=True)
class EventFrames:
    """Events after a position: at most a page, each rendered once."""

    after: int
    frames: tuple[tuple[int, str], ...]
    """Sequence number and text of the frame."""
    is_full: bool
    """There may be more events."""
    ended: bool
    """The session has ended, and all its events were stored when this was read."""


def _frame(event: Event) -> str:
    # JSON has no raw line breaks, so one `data:` line holds it, whatever a target sent.
    return f"id: {event.seq}\ndata: {event.model_dump_json()}\n\n"


@dataclass(slots=True)
class _Shared:
    readers: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    newest: EventFrames | None = None
    began_at: float = 0.0


class SharedReads:
    """The sessions that this process streams; a session is dropped with its last stream."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Read by `engine`."""
        self._engine = engine
        self._shared: dict[UUID, _Shared] = {}

    @contextmanager
    def joined(self, session_id: UUID) -> Iterator[None]:
        """Share the session's reads while the context is open."""
        shared = self._shared.setdefault(session_id, _Shared())
        shared.readers += 1
        try:
            yield
        finally:
            shared.readers -= 1
            if not shared.readers:
                del self._shared[session_id]

    async def read(self, session_id: UUID, after: int) -> EventFrames:
        """Return events after `after`, read now or later.

        Who is woken waits for the read that is under way and then shares the next one with all others who
        waited: one that began before the wake-up may lack what woke them.
        """
        shared = self._shared[session_id]
        asked_at = time.monotonic()
        async with shared.lock:
            known = shared.newest
            if known is not None and shared.began_at >= asked_at and known.after <= after:
                fresh = tuple(frame for frame in known.frames if frame[0] > after)
                return EventFrames(after, fresh, known.is_full, known.ended)
            began_at = time.monotonic()
            newest = await self._read(session_id, after)
            shared.newest, shared.began_at = newest, began_at
            return newest

    async def _read(self, session_id: UUID, after: int) -> EventFrames:
        async with self._engine.connect() as connection:
            # The state first: if it says ended, every event of the session is already stored.
            session = await sessions.find(connection, session_id)
            found = await repository.page(connection, session_id, after, PAGE)
        return EventFrames(
            after,
            tuple((event.seq, _frame(event)) for event in found.events),
            is_full=found.is_full,
            ended=session is None or session.phase == "ended",
        )
