"""The three ways to show a session: live view, plain lines, JSON lines."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from rich.console import Console
from rich.live import Live

from dryrun_cli.api.event_stream import Received
from dryrun_cli.api.session_ids import short
from dryrun_cli.drawing.glyphs import glyphs_for
from dryrun_cli.drawing.moments import clock_time
from dryrun_cli.drawing.narration import narrate, narrate_unknown
from dryrun_cli.drawing.safe_text import ascii_json, inert, shown
from dryrun_cli.live.frame import Frame
from dryrun_cli.live.live_view import draw
from dryrun_cli.live.watched_session import WatchedSession

_AUTOWRAP_OFF = "\x1b[?7l"
_AUTOWRAP_ON = "\x1b[?7h"


type Topic = Literal["connection", "stop", "waiting"]


class Manner(StrEnum):
    """The way to show a session."""

    AUTO = "auto"
    """Live on a terminal, plain otherwise."""
    LIVE = "live"
    PLAIN = "plain"
    JSON = "json"


class Screen(Protocol):
    """A way to show a session."""

    def opened(self) -> contextlib.AbstractContextManager[None]:
        """Prepare the terminal for watching, and restore it afterwards."""
        ...

    def received(self, item: Received, state: WatchedSession) -> None:
        """Show one event; `state` is the session after it."""
        ...

    def show_message(self, topic: Topic, message: str) -> None:
        """Show a message that is not an event; an empty one removes the last one about `topic`."""
        ...

    def tick(self, state: WatchedSession, now: datetime) -> None:
        """Redraw what depends on the time; `now` is the server's time."""
        ...


def make_screen(
    manner: Manner, console: Console, session_id: UUID, on_interrupt: Literal["stop", "leave"]
) -> Screen:
    """Return the screen. `live` needs a terminal with cursor control; on others it becomes `plain`."""
    if manner is Manner.JSON:
        return JsonScreen(console)
    able = console.file.isatty() and not console.is_dumb_terminal
    if manner is Manner.LIVE or (manner is Manner.AUTO and able):
        return LiveScreen(console, session_id, on_interrupt)
    return PlainScreen(console)


class JsonScreen:
    """Writes each event as one JSON object; messages go to standard error."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._errors = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def opened(self) -> contextlib.AbstractContextManager[None]:
        """Nothing to prepare."""
        return contextlib.nullcontext()

    def received(self, item: Received, _state: WatchedSession) -> None:
        """Write the event as the API sent it."""
        self._console.file.write(ascii_json(item.raw) + "\n")
        self._console.file.flush()

    def show_message(self, _topic: Topic, message: str) -> None:
        """Write it to standard error, apart from the data."""
        if message:
            self._errors.print(shown(message, limit=500), soft_wrap=True)

    def tick(self, state: WatchedSession, now: datetime) -> None:
        """Nothing here depends on the time."""


class PlainScreen:
    """Writes one line per event with its time; nothing is redrawn."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def opened(self) -> contextlib.AbstractContextManager[None]:
        """Nothing to prepare."""
        return contextlib.nullcontext()

    def received(self, item: Received, state: WatchedSession) -> None:
        """Write the event's line."""
        if item.event is None:
            self._write(f"{clock_time(_time_of(item))}  {narrate_unknown(item.raw)}")
        else:
            self._write(f"{clock_time(item.event.at)}  {narrate(item.event, state.addresses)}")

    def show_message(self, _topic: Topic, message: str) -> None:
        """Write it as a line of its own."""
        if message:
            self._write(f"{clock_time(datetime.now(UTC))}  {'dryrun':<10} {inert(message, 500)}")

    def tick(self, state: WatchedSession, now: datetime) -> None:
        """Nothing here depends on the time."""

    def _write(self, line: str) -> None:
        self._console.file.write(line + "\n")
        self._console.file.flush()


def _time_of(item: Received) -> datetime:
    """Return when an event happened that this version does not know; now, if it does not say that either."""
    try:
        return datetime.fromisoformat(str(item.raw.get("at"))).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


class LiveScreen:
    """The live view of a terminal, redrawn in place four times a second."""

    def __init__(self, console: Console, session_id: UUID, on_interrupt: Literal["stop", "leave"]) -> None:
        self._console = console
        self._short_id = short(session_id)
        self._glyphs = glyphs_for(console.encoding)
        self._hint = (
            "Ctrl-C stops the session." if on_interrupt == "stop" else "Ctrl-C leaves; the session continues."
        )
        self._messages: dict[Topic, str] = {}
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Hide the cursor and clip lines at the right edge.

        Terminals and Rich may disagree on the width of rare characters; a line that wrapped unexpectedly
        would let a target's text shift the view. Without automatic wrapping it is clipped instead.
        """
        self._console.file.write(_AUTOWRAP_OFF)
        try:
            with self._live:
                yield
        finally:
            self._console.file.write(_AUTOWRAP_ON)
            self._console.file.flush()

    def received(self, item: Received, state: WatchedSession) -> None:
        """Do nothing: the next tick draws it, so that a flood of events causes no redraws."""

    def show_message(self, topic: Topic, message: str) -> None:
        """Keep it for the footer."""
        self._messages[topic] = message

    def tick(self, state: WatchedSession, now: datetime) -> None:
        """Draw the next frame."""
        size = self._console.size
        frame = Frame(
            now=now,
            width=size.width,
            height=size.height,
            short_id=self._short_id,
            glyphs=self._glyphs,
            hint="" if self._messages.get("stop") else self._hint,
            messages=tuple(message for message in self._messages.values() if message),
        )
        self._live.update(draw(state, frame), refresh=True)
