"""Follows a session's events to the end, through broken connections, without missing or repeating one."""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import httpx2
from pydantic import JsonValue

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject, read_event, read_session
from dryrun_cli.api.server_time import server_ahead
from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError
from dryrun_contract.event import Event, SessionEnded
from dryrun_contract.session import Phase, SessionView

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 300.0
"""An unreachable API is tried again for this long before the follower gives up."""


_MOST_UNREADABLE: Final = 10
"""Events in a row that are not JSON; with the pauses between, some 70 s."""


class _UnreadableError(ApiUnreachableError):
    """The API answers, and what it sends is no event."""


@dataclass(frozen=True, slots=True)
class Received:
    """One event, as received and as read; `event` is None for a type that this version does not know."""

    raw: JsonObject
    event: Event | None


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The stream broke; the next attempt is due in `pause_seconds`."""

    reason: str
    attempt: int
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class ConnectionMade:
    """The stream is open; `server_ahead_seconds` is how far the server's clock runs before ours."""

    server_ahead_seconds: float


@dataclass(frozen=True, slots=True)
class EndedWithoutEvent:
    """The session has ended, by the API's answer, but the event of its end never came."""

    session: SessionView


type StreamItem = Received | ConnectionLost | ConnectionMade | EndedWithoutEvent


async def follow_events(
    client: ApiClient, session_id: UUID, *, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncGenerator[StreamItem]:
    """Yield each event of the session once, in order, until it has ended.

    After a broken connection it continues from the last event id (`Last-Event-ID` of the HTML standard's
    event streams); an event that is sent twice is yielded once. Without an event between, the pauses before
    attempts grow to LONGEST_PAUSE_SECONDS. Raises ApiRefusedError at once, except for too many streams after
    one broke, and ApiUnreachableError when no stream opens for `patience_seconds`, or when what comes is not
    JSON time after time.
    """
    follower = _Follower(client, session_id, patience_seconds)
    async with aclosing(follower.follow()) as items:
        async for item in items:
            yield item


class _Follower:
    def __init__(self, client: ApiClient, session_id: UUID, patience_seconds: float) -> None:
        self._client = client
        self._session_id = session_id
        self._patience = patience_seconds
        self._last_event_id = ""
        self._seen: set[tuple[str, JsonValue]] = set()
        self._attempt = 0
        self._unreadable = 0
        self._give_up_at: float | None = None
        self._was_open = False
        self._requested_pause: float | None = None

    async def follow(self) -> AsyncGenerator[StreamItem]:
        while True:
            try:
                async with aclosing(self._connection()) as items:
                    async for item in items:
                        yield item
                        if isinstance(item, Received) and _is_end(item):
                            return
                ended = await self._ended_session()
                if ended is not None:
                    yield EndedWithoutEvent(ended)
                    return
                lost = self._lost("the API closed the stream")
            except ApiUnreachableError as error:
                if isinstance(error, _UnreadableError):
                    self._count_unreadable(error)
                lost = self._lost(str(error))
            except ApiRefusedError as error:
                # The API may still count the streams that broke.
                if not (self._was_open and error.is_of_the_moment):
                    raise
                lost = self._lost(str(error))
            yield lost
            await asyncio.sleep(lost.pause_seconds)

    async def _connection(self) -> AsyncGenerator[StreamItem]:
        async with self._client.event_stream(self._session_id, self._last_event_id) as source:
            # An API that opens the stream is reachable, also one of a session in which nothing happens.
            self._give_up_at, self._was_open = None, True
            yield ConnectionMade(server_ahead(source.response))
            async for message in source:
                if message.retry is not None:
                    self._requested_pause = min(max(message.retry / 1000, 0.0), LONGEST_PAUSE_SECONDS)
                received = _read_message(message)
                if received is not None:
                    identity = (str(received.raw.get("journal")), received.raw.get("seq"))
                    if identity not in self._seen:
                        self._seen.add(identity)
                        self._attempt = self._unreadable = 0
                        yield received
                # Only after the event was yielded: one that was not is requested again.
                if message.id:
                    self._last_event_id = message.id

    async def _ended_session(self) -> SessionView | None:
        session = read_session(await self._client.session(self._session_id))
        return session if session.phase == Phase.ENDED else None

    def _count_unreadable(self, error: _UnreadableError) -> None:
        self._unreadable += 1
        if self._unreadable >= _MOST_UNREADABLE:
            raise ApiUnreachableError(
                f"gave up following session {self._session_id}: {error}, {self._unreadable} times in a row. "
                "Check that nothing between here and the API changes its answers. "
                "The session continues and ends by itself at its deadline."
            ) from error

    def _lost(self, reason: str) -> ConnectionLost:
        now = time.monotonic()
        if self._give_up_at is None:
            self._give_up_at = now + self._patience
        if now >= self._give_up_at:
            raise ApiUnreachableError(
                f"gave up following session {self._session_id} after {self._patience:.0f} s: {reason}. "
                "The session continues and ends by itself at its deadline."
            )
        self._attempt += 1
        first = FIRST_PAUSE_SECONDS if self._requested_pause is None else self._requested_pause
        pause = min(max(first, 0.05) * 2 ** min(self._attempt - 1, 8), LONGEST_PAUSE_SECONDS)
        # Spread, so that many followers do not return to a restarted API at once.
        return ConnectionLost(reason, self._attempt, pause * random.uniform(0.7, 1.0))  # noqa: S311  # no secret


def _is_end(item: Received) -> bool:
    return item.event is not None and isinstance(item.event.data, SessionEnded)


def _read_message(message: httpx2.ServerSentEvent) -> Received | None:
    if not message.data:
        return None
    try:
        raw = json.loads(message.data)
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"the API sent an event that is not JSON (id {message.id!r})") from error
    if not isinstance(raw, dict) or "seq" not in raw:
        return None
    return Received(raw, read_event(raw))
