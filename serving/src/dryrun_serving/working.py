"""Work that lasts as long as a service: a service whose work has ended must not go on without it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

logger = logging.getLogger(__name__)


class WorkEndedError(RuntimeError):
    """Work that should have run until it is cancelled ended by itself."""


@asynccontextmanager
async def working(work: Mapping[str, Callable[[], Awaitable[None]]]) -> AsyncGenerator[None]:
    """Do all `work` during the block, by its names, and cancel it afterwards.

    When one fails, or ends by itself, the log says so, the block and the rest are cancelled, and the error is
    raised in an ExceptionGroup. In a lifespan, `server` then ends the process.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_last(name, each), name=name) for name, each in work.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _last(name: str, work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    try:
        await _until_cancelled(name, work)
    except Exception:
        if task.cancelling():
            # It was asked to end, and has ended: whoever stopped the service is not shown a failure.
            logger.warning("%s failed while it was stopped", name, exc_info=True)
            return
        logger.critical("%s failed; ending the process", name, exc_info=True)
        raise


async def _until_cancelled(name: str, work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    try:
        await work()
    except asyncio.CancelledError:
        # By itself when nobody asked for it: a task group takes that for an end as good as any.
        if task.cancelling():
            raise
    if not task.cancelling():
        raise WorkEndedError(f"{name} ended by itself")
