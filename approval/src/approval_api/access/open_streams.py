"""Open streams: how many there may be, and whether their readers may still read them.

A stream is admitted once and lasts as long as its session. So each reader is checked again every few
seconds, exactly as a new request is; the stream ends when they signed out, their token was deleted or their
permissions changed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import override

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from approval_api.access.authentication import credential_of, find_person
from approval_api.database.errors import DATABASE_ERRORS
from approval_api.identity.person import Person
from approval_api.telemetry.metrics import Metrics
from approval_api.web.problems import ProblemError
from dryrun_serving.ceiling import Ceiling

logger = logging.getLogger(__name__)

RECHECK_SECONDS = 15.0
_ENDED = b": your login or token has ended\n\n"


@dataclass(eq=False, slots=True)
class _OpenStream:
    request: Request
    person: Person
    scope: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))

    def end(self) -> None:
        self.scope.reschedule(0)


class OpenStreams:
    """All streams of a process."""

    def __init__(self, ceiling: Ceiling, metrics: Metrics) -> None:
        """Allow as many as `ceiling` says, in all and per person."""
        self._ceiling = ceiling
        self._metrics = metrics
        self._open: set[_OpenStream] = set()

    @contextmanager
    def opened(self, request: Request, person: Person) -> Iterator[asyncio.Timeout]:
        """Count a stream while it lasts. Raises a 429 or 503 problem when there are too many.

        Whatever is awaited inside the returned timeout is cancelled once the person may not read on.
        """
        who = str(person.id or person.name)
        full = self._ceiling.full(who)
        if full is not None:
            raise ProblemError(
                "too-many-streams",
                429 if full == "of one" else 503,
                "you have as many streams open as one person may have; close one"
                if full == "of one"
                else "as many streams are open as this service serves; try again in a moment",
                title="Too many open streams",
                headers={"Retry-After": "10"},
            )
        stream = _OpenStream(request, person)
        with self._ceiling.place(who), self._metrics.streams.track_inprogress():
            self._open.add(stream)
            try:
                yield stream.scope
            finally:
                self._open.discard(stream)

    async def run(self) -> None:
        """Check all readers again every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await self.end_unproven()

    async def end_unproven(self) -> None:
        """End the streams of readers who would not be admitted as before. Checks each credential once.

        An open stream is no use of its login: an idle login expires, and its streams end.
        """
        by_credential: dict[bytes, list[_OpenStream]] = {}
        for stream in self._open:
            by_credential.setdefault(credential_of(stream.request), []).append(stream)
        for streams in by_credential.values():
            # Like a new request: without what the stream's own request has looked up.
            scope = {name: streams[0].request.scope[name] for name in _ASKED_AGAIN}
            try:
                person = await find_person(Request(scope), is_use=False)
            except DATABASE_ERRORS as error:
                logger.warning("open streams could not be checked", extra={"reason": str(error)})
                return
            for stream in streams:
                if person is None or _rights(person) != _rights(stream.person):
                    stream.end()


_ASKED_AGAIN = ("type", "app", "scheme", "server", "path", "headers")


def _rights(person: Person) -> tuple[object, ...]:
    return person.id, person.roles, person.permissions


class EventStream(StreamingResponse):
    """Server-sent events, for as long as the person may read them."""

    def __init__(self, request: Request, person: Person, frames: AsyncIterator[str]) -> None:
        """Send `frames` when there is room for another stream."""
        # X-Accel-Buffering: proxies of that family would hold events back.
        super().__init__(
            frames,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._request = request
        self._person = person

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream. Raises ProblemError before the first byte when there are too many streams."""
        streams: OpenStreams = self._request.app.state.open_streams
        with streams.opened(self._request, self._person) as lasting:
            try:
                async with lasting:
                    await super().__call__(scope, receive, send)
            except TimeoutError:
                if not lasting.expired():
                    raise
                await send({"type": "http.response.body", "body": _ENDED, "more_body": False})
