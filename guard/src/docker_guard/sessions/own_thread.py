"""Runs work in a thread with its own event loop, which nothing that clients send can keep busy."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvloop


@asynccontextmanager
async def in_own_thread(
    work: Callable[[], Coroutine[Any, Any, None]], name: str
) -> AsyncGenerator[asyncio.Future[None]]:
    """Start the work; yield a future of the caller's loop with its result.

    At the end of the block the work has been cancelled and has cleaned up.
    """
    loop = uvloop.new_event_loop()
    # A daemon, so that work that hangs does not keep the process from ending.
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    working = asyncio.run_coroutine_threadsafe(work(), loop)
    try:
        yield asyncio.wrap_future(working)
    finally:
        working.cancel()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_all_ended(), loop))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _all_ended() -> None:
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
