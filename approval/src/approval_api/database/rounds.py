"""Background work in rounds, for as long as the process lives; the database may be away meanwhile."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from approval_api.database.errors import DATABASE_ERRORS, DRIVER_ERRORS, says_away

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0
_LOG_AGAIN_SECONDS = 600.0
_MOST_KNOWN = 1000
_logged_at: dict[tuple[str, ...], float] = {}
"""Failures by what failed and how: a round every second would fill a disk with one of them."""


async def work_in_rounds(
    work_once: Callable[[], Awaitable[None]], what: str, *, every: float = _LOOK_SECONDS
) -> None:
    """Do a round of work every `every` seconds until cancelled; wait for a database that is unreachable.

    A round that fails otherwise, such as by a statement that takes too long, is not repeated any sooner.
    """
    while True:
        pause = every
        try:
            await work_once()
        except DATABASE_ERRORS as error:
            if _is_away(error):
                logger.warning("%s wait for the database", what, extra={"reason": type(error).__name__})
                pause = _RETRY_SECONDS
            else:
                logger.warning("%s failed; trying again later", what, extra={"reason": str(error)})
                pause = max(every, _RETRY_SECONDS)
        await asyncio.sleep(pause)


async def apart(work: Coroutine[None, None, None], what: str, **named: str) -> None:
    """Do one piece of a round; what fails there is no other piece's concern.

    The same failure is logged once in ten minutes. Raises what says that the database is away: nothing else
    would work either.
    """
    try:
        await work
    except Exception as error:
        if _is_away(error):
            raise
        if _is_news((what, *named.values(), type(error).__name__)):
            logger.exception("the work of %s failed; it is tried again", what, extra=named)


def _is_away(error: Exception) -> bool:
    """Return whether an error says that nothing else would work with the database now either."""
    if isinstance(error, (InterfaceError, OperationalError, OSError, *DRIVER_ERRORS)):
        return True
    return isinstance(error, DBAPIError) and says_away(error.orig)


def _is_news(failure: tuple[str, ...]) -> bool:
    now = time.monotonic()
    if now - _logged_at.get(failure, -_LOG_AGAIN_SECONDS) < _LOG_AGAIN_SECONDS:
        return False
    while len(_logged_at) >= _MOST_KNOWN:
        del _logged_at[next(iter(_logged_at))]
    # The oldest first.
    _logged_at.pop(failure, None)
    _logged_at[failure] = now
    return True
