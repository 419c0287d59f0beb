"""How many sessions run at once, in all and of one person; the others wait, oldest first.

Places are assigned under one database lock, so that several processes together keep the limits.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import dryrun_sessions as table
from approval_api.web.problems import ProblemError

_LOCK = text("SELECT pg_advisory_xact_lock(1886151011)")  # "plac"

waiting = and_(table.c.phase == "requested", table.c.admitted_at.is_(None))
"""It was not requested from the orchestrator yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many sessions may run, and how many may wait."""

    at_once: int
    per_person: int
    waiting: int
    waiting_per_person: int
    a_day: int = 10_000
    """Of one person: those that are stopped while they wait are kept, too."""


async def require_room(connection: AsyncConnection, limits: Limits, person: str) -> None:
    """Raise a 429 problem when too many sessions wait, in all or of `person`: nobody fills the queue alone.

    The same when `person` requested as many within a day as one may. Holds the lock until the transaction
    ends.
    """
    await connection.execute(_LOCK)
    counts = select(func.count(), func.count().filter(table.c.requested_by == person)).where(waiting)
    already, own = (await connection.execute(counts)).one()
    again_after = 60
    if own >= limits.waiting_per_person:
        what = (
            f"{own} of your sessions are waiting, and at most {limits.waiting_per_person} of one person may"
        )
    elif already >= limits.waiting:
        what = f"{already} sessions are waiting, and at most {limits.waiting} may"
    elif await _of_a_day(connection, person) >= limits.a_day:
        what = f"{person} requested {limits.a_day} sessions within a day, the most that one person may"
        again_after = 3600
    else:
        return
    raise ProblemError(
        "queue-full",
        429,
        f"{what}; try again later",
        title="Too many waiting sessions",
        headers={"Retry-After": str(again_after)},
    )


async def _of_a_day(connection: AsyncConnection, person: str) -> int:
    lately = table.c.requested_at > func.now() - timedelta(days=1)
    counted = select(func.count()).select_from(table).where(lately, table.c.requested_by == person)
    return await connection.scalar(counted) or 0


async def admit(connection: AsyncConnection, limits: Limits) -> set[UUID]:
    """Assign free places to waiting sessions, oldest first; return those that got one.

    A person whose own places are taken does not block the others.
    """
    await connection.execute(_LOCK)
    running = select(table.c.requested_by).where(
        table.c.phase != "ended", or_(table.c.phase != "requested", table.c.admitted_at.is_not(None))
    )
    of_person = Counter((await connection.execute(running)).scalars())
    free = limits.at_once - of_person.total()
    if free <= 0:
        return set()
    queue = (
        select(table.c.id, table.c.requested_by)
        .where(waiting)
        .order_by(table.c.requested_at, table.c.id)
        .limit(limits.waiting)
    )
    admitted: set[UUID] = set()
    for session_id, person in await connection.execute(queue):
        if len(admitted) < free and of_person[person] < limits.per_person:
            of_person[person] += 1
            admitted.add(session_id)
    await connection.execute(
        update(table)
        .where(table.c.id.in_(admitted), waiting)
        .values(admitted_at=func.clock_timestamp(), reason=None)
    )
    return admitted
