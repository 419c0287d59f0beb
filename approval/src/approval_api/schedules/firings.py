"""Rows of firings, the due times of schedules. Every function works inside the caller's transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable_text
from approval_api.database.tables import schedule_firings as firings
from approval_api.database.tables import schedules

_OPEN = firings.c.experiment_id.is_(None) & firings.c.skipped.is_(None) & firings.c.failure.is_(None)

# A firing failed when it could not start, or when none of its sessions could be measured.
_FAILING = text("""
SELECT s.id, s.resumed_at FROM gateway.schedules s CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE failed) AS failed FROM (
        SELECT f.failure IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM gateway.experiment_runs r
            WHERE r.experiment_id = f.experiment_id AND r.failure IS NULL) AS failed
        FROM gateway.schedule_firings f
        WHERE f.schedule_id = s.id AND f.due_at > s.resumed_at AND f.skipped IS NULL
            AND (f.failure IS NOT NULL OR f.experiment_id IS NOT NULL)
        ORDER BY f.due_at DESC LIMIT :most) newest) last
WHERE s.next_at IS NOT NULL AND last.failed >= :most
""")

_TO_START = text("""
UPDATE gateway.schedule_firings f SET tried_at = now() FROM gateway.schedules s
WHERE s.id = f.schedule_id AND coalesce(f.tried_at, '-infinity') < now() - CAST(:every AS interval)
    AND (f.schedule_id, f.due_at) IN (
        SELECT schedule_id, due_at FROM (
            SELECT o.schedule_id, o.due_at, row_number() OVER (PARTITION BY w.owner ORDER BY o.due_at) AS turn
            FROM gateway.schedule_firings o JOIN gateway.schedules w ON w.id = o.schedule_id
            WHERE o.experiment_id IS NULL AND o.skipped IS NULL AND o.failure IS NULL
                AND w.paused_because IS NULL
                AND coalesce(o.tried_at, '-infinity') < now() - CAST(:every AS interval)
        ) waiting ORDER BY turn, due_at LIMIT :most)
RETURNING f.schedule_id, f.due_at, s.request, s.owner, (
    SELECT p.name FROM gateway.api_tokens t JOIN gateway.people p ON p.id = t.person_id
    WHERE t.id = s.token_id) AS resumed_by
""")


@dataclass(frozen=True, slots=True)
class Due:
    """A firing to start."""

    schedule_id: UUID
    due_at: datetime
    request: object
    """As it is stored, perhaps by another version."""
    owner: str
    resumed_by: str | None
    """Whose token made or resumed the schedule."""


async def due(connection: AsyncConnection, limit: int = 20) -> list[tuple[UUID, datetime, object]]:
    """Return schedules whose time has come, with their stored requests."""
    found = await connection.execute(
        select(schedules.c.id, schedules.c.next_at, schedules.c.request)
        .where(schedules.c.next_at <= func.now())
        .order_by(schedules.c.next_at)
        .limit(limit)
    )
    return [(row.id, row.next_at, row.request) for row in found]


async def claim(
    connection: AsyncConnection, schedule_id: UUID, due_at: datetime, next_at: datetime | None
) -> bool:
    """Move a schedule on and note the firing; False when another process did. Both or neither."""
    moved = await connection.execute(
        update(schedules)
        .where(schedules.c.id == schedule_id, schedules.c.next_at == due_at)
        .values(next_at=next_at)
    )
    if moved.rowcount != 1:
        return False
    await skip_open(connection, schedule_id, "it could not be started before the next one was due")
    running = text("""
        SELECT f.due_at FROM gateway.schedule_firings f
        JOIN gateway.experiments e ON e.id = f.experiment_id AND e.stopped_at IS NULL
        WHERE f.schedule_id = :id AND EXISTS (
            SELECT 1 FROM gateway.experiment_runs r WHERE r.experiment_id = e.id
            AND r.measured IS NULL AND r.failure IS NULL)
        ORDER BY f.due_at DESC LIMIT 1
    """)
    before = (await connection.execute(running, {"id": schedule_id})).scalar_one_or_none()
    skipped = None if before is None else f"the experiment of {before:%Y-%m-%d %H:%M} UTC still runs"
    await connection.execute(
        insert(firings)
        .values(schedule_id=schedule_id, due_at=due_at, skipped=skipped)
        .on_conflict_do_nothing()
    )
    return True


async def to_start(connection: AsyncConnection, every: timedelta, limit: int) -> list[Due]:
    """Return open firings that were not tried for `every`, and note that they are tried now.

    Owners take turns, so that nobody's firings keep another's waiting.
    """
    found = await connection.execute(_TO_START, {"every": every, "most": limit})
    return [Due(row.schedule_id, row.due_at, row.request, row.owner, row.resumed_by) for row in found]


async def link(connection: AsyncConnection, due: Due, experiment_id: UUID) -> bool:
    """Make an experiment the firing's own; False when it has one, is over, or its schedule was paused."""
    runs = select(literal(1)).where(schedules.c.id == due.schedule_id, schedules.c.paused_because.is_(None))
    linked = await connection.execute(
        update(firings)
        .where(
            firings.c.schedule_id == due.schedule_id,
            firings.c.due_at == due.due_at,
            _OPEN,
            runs.exists(),
        )
        .values(experiment_id=experiment_id)
    )
    return linked.rowcount == 1


async def fail(connection: AsyncConnection, due: Due, reason: str) -> None:
    """Give up on a firing."""
    await connection.execute(
        update(firings)
        .where(firings.c.schedule_id == due.schedule_id, firings.c.due_at == due.due_at, _OPEN)
        .values(failure=storable_text(reason[:2000]))
    )


async def skip_open(connection: AsyncConnection, schedule_id: UUID, why: str) -> None:
    """Give up on the firings of a schedule that have not started."""
    await connection.execute(
        update(firings).where(firings.c.schedule_id == schedule_id, _OPEN).values(skipped=why)
    )


async def failing(connection: AsyncConnection, most: int) -> list[tuple[UUID, datetime]]:
    """Return the schedules whose newest `most` firings since they were resumed failed, and since when."""
    found = await connection.execute(_FAILING, {"most": most})
    return [(row.id, row.resumed_at) for row in found]


async def newest(connection: AsyncConnection, schedule_id: UUID, limit: int) -> list[RowMapping]:
    """Return the newest firings, newest first: due_at, tried_at, experiment_id, skipped, failure."""
    found = await connection.execute(
        select(firings)
        .where(firings.c.schedule_id == schedule_id)
        .order_by(firings.c.due_at.desc())
        .limit(limit)
    )
    return list(found.mappings())
