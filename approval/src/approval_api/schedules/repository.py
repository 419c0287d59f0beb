"""Rows of schedules and their firings. Every function works inside the caller's transaction."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import RowMapping, case, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.locks import hold
from approval_api.database.storable import storable_text
from approval_api.database.tables import api_tokens, schedules
from approval_api.database.tables import schedule_firings as firings
from dryrun_contract.schedule import ScheduleRequest, ScheduleView

logger = logging.getLogger(__name__)

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


# One that was removed has ended when its schedule paused, or just now.
_TOKEN_ENDS = case(
    (
        schedules.c.token_id.is_not(None),
        func.coalesce(api_tokens.c.expires_at, schedules.c.stopped_at, func.now()),
    )
)
_WITH_TOKENS = select(schedules, _TOKEN_ENDS.label("token_ends_at")).outerjoin(
    api_tokens, api_tokens.c.id == schedules.c.token_id
)


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


async def insert_schedule(
    connection: AsyncConnection,
    schedule_id: UUID,
    request: ScheduleRequest,
    owner: str,
    token_id: UUID | None,
    next_at: datetime,
) -> None:
    """Store a new schedule."""
    await connection.execute(
        insert(schedules).values(
            id=schedule_id,
            request=request.model_dump(mode="json"),
            owner=owner,
            token_id=token_id,
            next_at=next_at,
        )
    )


async def count_of(connection: AsyncConnection, owner: str) -> int:
    """Return how many schedules a person has; others that count for them wait for this transaction."""
    await hold(connection, f"schedules of {owner}")
    counted = await connection.execute(
        select(func.count()).select_from(schedules).where(schedules.c.owner == owner)
    )
    return counted.scalar_one()


async def find(connection: AsyncConnection, schedule_id: UUID) -> ScheduleView | None:
    """Return a schedule, or None."""
    found = await connection.execute(_WITH_TOKENS.where(schedules.c.id == schedule_id))
    row = found.mappings().one_or_none()
    return None if row is None else _view(row)


async def list_all(connection: AsyncConnection, limit: int) -> list[ScheduleView]:
    """Return schedules, those that are due next first, the paused ones last."""
    found = await connection.execute(
        _WITH_TOKENS.order_by(schedules.c.next_at.nulls_last(), schedules.c.id).limit(limit)
    )
    views = []
    for row in found.mappings():
        try:
            views.append(_view(row))
        except ValidationError:
            logger.warning("a schedule of another version is not listed", extra={"schedule": str(row["id"])})
    return views


async def remove(connection: AsyncConnection, schedule_id: UUID) -> bool:
    """Delete a schedule and the list of its firings; its experiments stay."""
    removed = await connection.execute(delete(schedules).where(schedules.c.id == schedule_id))
    return removed.rowcount == 1


async def pause(
    connection: AsyncConnection,
    schedule_id: UUID,
    reason: str,
    *,
    by_itself: bool = False,
    ended_token: UUID | None = None,
    resumed_at: datetime | None = None,
) -> bool:
    """Pause it: it fires no more and starts nothing that it claimed. The first reason stays.

    Returns False when there is none, when it no longer depends on `ended_token`, or when somebody resumed it
    after `resumed_at`. `by_itself`: nobody requested it, so its owner is to be notified.
    """
    reason = storable_text(reason[:500])
    stopped_at = case(
        (schedules.c.paused_because.is_(None), func.now() if by_itself else None),
        else_=schedules.c.stopped_at,
    )
    which = schedules.c.id == schedule_id
    if ended_token is not None:
        which &= schedules.c.token_id == ended_token
    if resumed_at is not None:
        which &= schedules.c.resumed_at == resumed_at
    changed = await connection.execute(
        update(schedules)
        .where(which)
        .values(
            next_at=None,
            paused_because=func.coalesce(schedules.c.paused_because, reason),
            stopped_at=stopped_at,
        )
    )
    if changed.rowcount != 1:
        return False
    await connection.execute(
        update(firings)
        .where(firings.c.schedule_id == schedule_id, _OPEN)
        .values(skipped="it was paused before it could start")
    )
    return True


async def resume(
    connection: AsyncConnection, schedule_id: UUID, next_at: datetime, token_id: UUID | None = None
) -> None:
    """Let a paused schedule fire again; failures so far are forgotten.

    One that runs depends on no token from now on, unless one resumes it: that changes nothing.
    """
    if token_id is None:
        await connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(token_id=None))
    await connection.execute(
        update(schedules)
        .where(schedules.c.id == schedule_id, schedules.c.next_at.is_(None))
        .values(
            next_at=next_at,
            paused_because=None,
            stopped_at=None,
            resumed_at=func.now(),
            token_id=token_id,
        )
    )


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
    await connection.execute(
        update(firings)
        .where(firings.c.schedule_id == schedule_id, _OPEN)
        .values(skipped="it could not be started before the next one was due")
    )
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


async def with_ended_tokens(connection: AsyncConnection) -> list[tuple[UUID, UUID]]:
    """Return the schedules that run and whose token has expired or was removed, each with that token."""
    lasts = (api_tokens.c.id == schedules.c.token_id) & (api_tokens.c.expires_at > func.now())
    found = await connection.execute(
        select(schedules.c.id, schedules.c.token_id).where(
            schedules.c.token_id.is_not(None),
            schedules.c.paused_because.is_(None),
            ~select(literal(1)).where(lasts).exists(),
        )
    )
    return [(row.id, row.token_id) for row in found]


async def failing(connection: AsyncConnection, most: int) -> list[tuple[UUID, datetime]]:
    """Return the schedules whose newest `most` firings since they were resumed failed, and since when."""
    found = await connection.execute(_FAILING, {"most": most})
    return [(row.id, row.resumed_at) for row in found]


async def newest_firings(connection: AsyncConnection, schedule_id: UUID, limit: int) -> list[RowMapping]:
    """Return the newest firings, newest first: due_at, tried_at, experiment_id, skipped, failure."""
    found = await connection.execute(
        select(firings)
        .where(firings.c.schedule_id == schedule_id)
        .order_by(firings.c.due_at.desc())
        .limit(limit)
    )
    return list(found.mappings())


def _view(row: RowMapping) -> ScheduleView:
    return ScheduleView(
        id=row["id"],
        request=ScheduleRequest.model_validate(row["request"]),
        owner=row["owner"],
        created_at=row["created_at"],
        next_at=row["next_at"],
        paused_because=row["paused_because"],
        token_ends_at=row["token_ends_at"],
    )
