"""How many sessions run at once, in all and of one person; the others wait, oldest first.

Places are given under one lock of the database, so that several processes together keep the limits.
"""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import dryrun_sessions as table
from approval_api.web.problems import ProblemError

WAITING_REASON = "waits for a free place; it starts by itself"

_LOCK = text("SELECT pg_advisory_xact_lock(1886151011)")  # "plac"

waiting = and_(table.c.phase == "requested", table.c.admitted_at.is_(None))
"""Nobody has asked the orchestrator for it yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sessions that may run, or wait to."""

    at_once: int
    per_person: int
    waiting: int


async def require_room(connection: AsyncConnection, limits: Limits) -> None:
    """Raise a 429 problem when too many wait already. Holds the lock until the transaction ends."""
    await connection.execute(_LOCK)
    already = await connection.scalar(select(func.count()).select_from(table).where(waiting)) or 0
    if already >= limits.waiting:
        raise ProblemError(
            "queue-full",
            429,
            f"{already} sessions wait already, and no more than {limits.waiting} may; try again later",
            title="Too many sessions wait",
            headers={"Retry-After": "60"},
        )


async def admit(connection: AsyncConnection, limits: Limits) -> set[UUID]:
    """Give free places to those who wait, oldest first; return who got one.

    Somebody whose own places are taken does not hold up the others.
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
