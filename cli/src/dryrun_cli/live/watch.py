"""Watches a session to its end: live on a terminal, otherwise a line or a JSON object per event."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Final, Literal
from uuid import UUID

from rich.console import Console

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.event_stream import (
    ConnectionLost,
    ConnectionMade,
    EndedWithoutEvent,
    Received,
    StreamItem,
    follow_events,
)
from dryrun_cli.api.reading import read_session
from dryrun_cli.drawing.narration import notice_text
from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError
from dryrun_cli.live.screens import Manner, Screen, make_screen
from dryrun_cli.live.watched_session import WatchedSession
from dryrun_contract.session import Outcome, Phase

EXPLAIN_SECONDS: Final = 3.0
STOP_ATTEMPTS: Final = 5
STOP_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    """The end of watching; `outcome` is None when the watcher left before the session ended."""

    outcome: Outcome | None
    reason: str | None
    interrupted: bool
    """Somebody requested the stop with Ctrl-C."""
    left_by: signal.Signals | None
    """The signal that ended watching at once."""
    state: WatchedSession
    stop_accepted: bool = False
    """The API has accepted that stop; whoever leaves earlier may leave a session that goes on."""


async def watch_session(
    client: ApiClient,
    session_id: UUID,
    console: Console,
    *,
    manner: Manner = Manner.AUTO,
    on_interrupt: Literal["stop", "leave"] = "stop",
) -> WatchOutcome:
    """Show the session on `console` until it has ended, and return its outcome.

    The first Ctrl-C stops the session, and watching continues through its cleanup; the second leaves at
    once, and so does the first where `on_interrupt` is "leave". SIGTERM and SIGHUP leave at once. Runs in
    the main thread's event loop. Raises ApiRefusedError and ApiUnreachableError as `follow_events` does.
    """
    screen = make_screen(manner, console, session_id, on_interrupt)
    return await _Watcher(client, session_id, screen, on_interrupt).watch()


class _Watcher:
    def __init__(
        self,
        client: ApiClient,
        session_id: UUID,
        screen: Screen,
        on_interrupt: Literal["stop", "leave"],
    ) -> None:
        self._client = client
        self._session_id = session_id
        self._screen = screen
        self._stops = on_interrupt == "stop"
        self._state = WatchedSession()
        self._server_ahead = timedelta(0)
        self._interrupts = 0
        self._stop_task: asyncio.Task[None] | None = None
        self._stop_accepted = False
        self._left_by: signal.Signals | None = None

    async def watch(self) -> WatchOutcome:
        follow = asyncio.create_task(self._follow())
        ticks = asyncio.create_task(self._tick())
        waiting = asyncio.create_task(self._explain_waiting())
        try:
            with self._screen.opened(), self._signals(follow):
                await asyncio.wait([follow])
                self._redraw()
        finally:
            tasks = [task for task in (follow, ticks, waiting, self._stop_task) if task is not None]
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        failure = results[0]
        if isinstance(failure, BaseException) and not isinstance(failure, asyncio.CancelledError):
            raise failure
        return self._outcome()

    def _outcome(self) -> WatchOutcome:
        interrupted = self._interrupts > 0 and self._stops
        return WatchOutcome(
            self._state.outcome,
            self._state.reason,
            interrupted,
            self._left_by,
            self._state,
            self._stop_accepted,
        )

    async def _follow(self) -> None:
        events = follow_events(self._client, self._session_id)
        async with aclosing(events) as items:
            async for item in items:
                self._take(item)

    def _take(self, item: StreamItem) -> None:
        match item:
            case Received(event=event):
                if event is not None:
                    self._state.read(event)
                self._screen.received(item, self._state)
            case ConnectionLost(reason=reason, attempt=attempt):
                self._screen.show_message(
                    "connection", f"Connection lost, reconnecting (attempt {attempt}): {reason}"
                )
            case ConnectionMade(server_ahead_seconds=ahead):
                self._server_ahead = timedelta(seconds=ahead)
                self._screen.show_message("connection", "")
            case EndedWithoutEvent(session=session):
                at = session.ended_at or datetime.now(UTC) + self._server_ahead
                self._state.end(session.outcome or Outcome.FAILED, session.reason, at)
                self._screen.show_message("connection", f"The session has ended: {self._state.outcome}.")

    def _redraw(self) -> None:
        self._screen.tick(self._state, datetime.now(UTC) + self._server_ahead)

    async def _tick(self) -> None:
        while True:
            self._redraw()
            await asyncio.sleep(0.25)

    async def _explain_waiting(self) -> None:
        """Show what a session waits for, here or in the orchestrator's queue, where no event has said it."""
        before = ""
        while self._waits:
            await asyncio.sleep(EXPLAIN_SECONDS)
            with contextlib.suppress(ApiRefusedError, ApiUnreachableError):  # the follower reports these
                session = read_session(await self._client.session(self._session_id))
                waits = session.phase in {"requested", Phase.QUEUED} and self._waits
                told = {notice_text(notice) for notice in self._state.notices}
                reason = session.reason if waits and session.reason and session.reason not in told else ""
                if reason != before:
                    self._screen.show_message("waiting", reason)
                before = reason
        self._screen.show_message("waiting", "")

    @property
    def _waits(self) -> bool:
        return self._state.phase in {None, Phase.QUEUED}

    @contextlib.contextmanager
    def _signals(self, follow: asyncio.Task[None]) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGINT: lambda: self._interrupted(follow),
            signal.SIGTERM: lambda: self._leave(follow, signal.SIGTERM),
            signal.SIGHUP: lambda: self._leave(follow, signal.SIGHUP),
        }

        def hear(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(handlers[number])

        # Not the loop's handlers: removed, they give signals their default for a moment: the process ends.
        before = {number: signal.signal(number, hear) for number in handlers}
        try:
            yield
        finally:
            for number, handler_before in before.items():
                signal.signal(number, handler_before)

    def _interrupted(self, follow: asyncio.Task[None]) -> None:
        if self._left_by is not None:
            return
        self._interrupts += 1
        if self._interrupts > 1 or not self._stops:
            self._leave(follow, signal.SIGINT)
            return
        self._screen.show_message("stop", "Asking the API to stop the session. Ctrl-C again leaves at once.")
        self._stop_task = asyncio.create_task(self._stop())

    def _leave(self, follow: asyncio.Task[None], number: signal.Signals) -> None:
        self._left_by = self._left_by or number
        follow.cancel()

    async def _stop(self) -> None:
        for attempt in range(1, STOP_ATTEMPTS + 1):
            try:
                await self._client.stop_session(self._session_id)
            except ApiRefusedError as error:
                self._screen.show_message("stop", f"The API did not stop the session: {error}")
                return
            except ApiUnreachableError as error:
                self._screen.show_message(
                    "stop", f"Could not request the stop (attempt {attempt} of {STOP_ATTEMPTS}): {error}"
                )
                await asyncio.sleep(STOP_PAUSE_SECONDS)
            else:
                self._stop_accepted = True
                self._screen.show_message(
                    "stop", "The session is stopping; its cleanup follows. Ctrl-C again leaves."
                )
                return
