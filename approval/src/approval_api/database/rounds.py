"""Background work in rounds, for as long as the process lives; the database may be away meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

from sqlalchemy.exc import InterfaceError, OperationalError

from approval_api.database.errors import DATABASE_ERRORS, DRIVER_ERRORS

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0


async def work_in_rounds(
    work_once: Callable[[], Awaitable[None]], what: str, *, every: float = _LOOK_SECONDS
) -> None:
    """Do a round of work `every` so many seconds until cancelled; wait for a database that is unreachable."""
    while True:
        pause = every
        try:
            await work_once()
        except DATABASE_ERRORS as error:
            logger.warning("%s wait for the database", what, extra={"reason": type(error).__name__})
            pause = _RETRY_SECONDS
        await asyncio.sleep(pause)


async def apart(work: Coroutine[None, None, None], what: str, **named: str) -> None:
    """Do one piece of a round; what fails there is logged, and no other piece's concern.

    Raises what says that the database is away: nothing else would work either.
    """
    try:
        await work
    except (InterfaceError, OperationalError, OSError, *DRIVER_ERRORS):
        raise
    except Exception:
        logger.exception("the work of %s failed", what, extra=named)
