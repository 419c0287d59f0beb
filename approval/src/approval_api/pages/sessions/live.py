"""The live page's stream: fragments of the page, rendered once per process however many look on.

A stream begins with every fragment as it is now, and with the discoveries after the number that the reader
knows (`Last-Event-ID`, or `after`). So whoever reconnects misses nothing, whichever process answers, and
reading twice changes nothing.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.events import repository
from approval_api.events.stream import News, stream
from approval_api.events.waker import Waker
from approval_api.pages.shown_session import ARRIVALS, Arrival, ShownSession
from approval_api.sessions import repository as sessions
from approval_api.sessions.stored import StoredSession

QUIET_SECONDS = 0.15
"""Events that come closer together than this travel in one message: a person sees no difference."""
_WAITING_SECONDS = 3.0
"""Until a session in the queue is read again, since what it waits for happens to other sessions."""
_KEPT = 16
_KEPT_SECONDS = 30.0
"""How many sessions stay in memory when nobody watches them, and how long; reading one again costs more."""
_PAGE = 1000
_MESSAGES = 8
"""Messages of one state that are kept for other readers, who may begin anywhere: their number needs a
ceiling."""

type RenderFragments = Callable[[StoredSession, ShownSession], dict[str, str]]
type RenderArrival = Callable[[Arrival], str]


@dataclass(slots=True)
class _Fragment:
    html: str
    revision: int


@dataclass(slots=True)
class LiveSession:
    """One session that somebody looks at."""

    render_fragments: RenderFragments
    render_arrival: RenderArrival
    stored: StoredSession | None = None
    """The session's row, as it was read last; None when there is no such session."""
    state: ShownSession | None = None
    revision: int = 0
    ended: bool = False
    readers: int = 0
    fragments: dict[str, _Fragment] = field(default_factory=dict)
    arrivals: list[tuple[int, str]] = field(default_factory=list)
    _read_at: float = -1.0
    _rendered: int = 0
    _made_at: float = field(default_factory=time.monotonic)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _messages: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def is_old(self) -> bool:
        """Return whether the next viewer should read everything again."""
        return time.monotonic() - self._made_at > _KEPT_SECONDS

    @property
    def waits(self) -> bool:
        """Return whether the session has a position in the queue."""
        return self.stored is not None and self.stored.view.queue_position is not None

    async def catch_up(self, engine: AsyncEngine, session_id: UUID) -> None:
        """Read what is stored by now. Whoever comes first reads for all that wait."""
        asked = time.monotonic()
        async with self._lock:
            if self._read_at >= asked or self.ended:
                return
            await asyncio.sleep(max(0.0, self._read_at + QUIET_SECONDS - asked))
            began = time.monotonic()
            await self._read(engine, session_id)
            self._read_at = began

    async def _read(self, engine: AsyncEngine, session_id: UUID) -> None:
        async with engine.connect() as connection:
            # The row first: if it says ended, every event of the session is already stored.
            stored = await sessions.find_stored(connection, session_id)
        self.stored = stored
        if stored is None:
            self.ended = True
            return
        if self.state is None:
            self.state = ShownSession.of(stored.template)
        state = self.state
        while True:
            # Read, release, compute: others need the connection, and the loop, between two pages.
            async with engine.connect() as connection:
                found = await repository.page(connection, session_id, state.seq, _PAGE)
            for event in found.events:
                state.read(event)
            if not found.is_full:
                break
            await asyncio.sleep(0)
        self._render(stored, state)
        self.ended = stored.view.phase == "ended"

    def _render(self, stored: StoredSession, state: ShownSession) -> None:
        self.revision += 1
        for name, html in self.render_fragments(stored, state).items():
            shown = self.fragments.get(name)
            if shown is None or shown.html != html:
                self.fragments[name] = _Fragment(html, self.revision)
        # A reading that failed half-way left some for this one.
        fresh = [arrival for arrival in state.arrivals if arrival.seq > self._rendered]
        self.arrivals += [(arrival.seq, self.render_arrival(arrival)) for arrival in fresh]
        del self.arrivals[:-ARRIVALS]
        self._rendered = state.seq
        self._messages.clear()

    def message(self, revision: int, after: int) -> str:
        """Return what a reader lacks who knows `revision` and discoveries up to `after`; "" for nothing."""
        known = self._messages.get((revision, after))
        if known is None:
            known = "".join(
                _partial(f"#{name}", "outerMorph", fragment.html)
                for name, fragment in self.fragments.items()
                if fragment.revision > revision
            )
            rows = [html for seq, html in self.arrivals if seq > after]
            if rows:
                known += _partial("#arrivals", "afterbegin", "".join(reversed(rows)))
            while len(self._messages) >= _MESSAGES:
                del self._messages[next(iter(self._messages))]
            self._messages[revision, after] = known
        return known


def _partial(target: str, swap: str, html: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


class LiveSessions:
    """The sessions that somebody looks at, in this process, and a few that somebody just left."""

    def __init__(self, render_fragments: RenderFragments, render_arrival: RenderArrival) -> None:
        """Render by these two."""
        self._render_fragments = render_fragments
        self._render_arrival = render_arrival
        self._watched: dict[UUID, LiveSession] = {}
        self._left: dict[UUID, LiveSession] = {}

    @contextmanager
    def watched(self, session_id: UUID) -> Iterator[LiveSession]:
        """Share one session's fragments with everybody else who looks at it."""
        live = self._watched.get(session_id) or self._left.pop(session_id, None)
        if live is None or (live.is_old and not live.readers):
            live = LiveSession(self._render_fragments, self._render_arrival)
        self._watched[session_id] = live
        live.readers += 1
        try:
            yield live
        finally:
            live.readers -= 1
            if not live.readers:
                del self._watched[session_id]
                if live.stored is not None:
                    self._left[session_id] = live
                    while len(self._left) > _KEPT:
                        del self._left[next(iter(self._left))]


async def frames(
    live_sessions: LiveSessions,
    engine: AsyncEngine,
    waker: Waker,
    stopping: asyncio.Event,
    session_id: UUID,
    after: int,
    heartbeat_seconds: float,
) -> AsyncGenerator[str]:
    """Yield server-sent events until the session has ended or the service stops."""
    with live_sessions.watched(session_id) as live:
        revision = 0

        async def read_news() -> News:
            nonlocal revision, after
            await live.catch_up(engine, session_id)
            seq = live.state.seq if live.state else after
            message = live.message(revision, after)
            if live.ended:
                # The element that holds the connection goes: what is not in the page does not reconnect.
                message += _partial("#link", "outerHTML", '<div id="link" hidden></div>')
            revision, after = live.revision, max(after, seq)
            again = _WAITING_SECONDS if live.waits else None
            return News(_frame(seq, message) if message else "", live.ended, again_seconds=again)

        news = stream(read_news, waker, stopping, session_id, heartbeat_seconds)
        async with aclosing(news):
            async for text in news:
                yield text


def _frame(seq: int, html: str) -> str:
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"id: {seq}\n{lines}\n"
