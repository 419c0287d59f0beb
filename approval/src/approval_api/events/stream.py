"""The loop of every stream of server-sent events: notifications wake it; it skips and repeats no event."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from approval_api.database.errors import DATABASE_ERRORS
from approval_api.events.shared_reads import SharedReads
from approval_api.events.waker import Waker

_DATABASE_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class News:
    """The next part of a stream; `frames` is empty when nothing is new."""

    frames: str
    ended: bool
    """The session has ended: nothing follows."""
    more: bool = False
    """More can be read without waiting."""
    again_seconds: float | None = None
    """After how long to read again where no notification comes, if before the next heartbeat."""


async def stream(
    read_news: Callable[[], Awaitable[News]],
    waker: Waker,
    stopping: asyncio.Event,
    session_id: UUID,
    heartbeat_seconds: float,
) -> AsyncGenerator[str]:
    """Yield the frames of `read_news` until the session has ended or the service stops.

    While the database cannot be reached, the stream sends a comment and tries again every second.
    """
    with waker.subscribed(session_id) as woken:
        yield "retry: 1000\n\n"
        while not stopping.is_set():
            woken.clear()
            try:
                news = await read_news()
            except DATABASE_ERRORS:
                yield ": waiting for the database\n\n"
                await _wait(stopping, _DATABASE_RETRY_SECONDS)
                continue
            if news.frames:
                yield news.frames
            if news.more:
                continue
            if news.ended:
                return
            if not await _wait(woken, min(news.again_seconds or heartbeat_seconds, heartbeat_seconds)):
                yield ": still here\n\n"


async def event_frames(
    reads: SharedReads,
    waker: Waker,
    stopping: asyncio.Event,
    session_id: UUID,
    after: int,
    heartbeat_seconds: float,
) -> AsyncGenerator[str]:
    """Yield a frame for each event after `after`. No database connection is held between two reads."""

    async def read_news() -> News:
        nonlocal after
        page = await reads.read(session_id, after)
        if page.frames:
            after = page.frames[-1][0]
        return News("".join(frame for _, frame in page.frames), page.ended, page.is_full)

    news = stream(read_news, waker, stopping, session_id, heartbeat_seconds)
    with reads.joined(session_id):
        async with aclosing(news):
            async for frames in news:
                yield frames


async def _wait(woken: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True
