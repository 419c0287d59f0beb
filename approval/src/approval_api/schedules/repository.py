"""Rows of schedules. Every function works inside the caller's transaction."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.locks import hold
from approval_api.database.readable import read_one, readable
from approval_api.database.storable import storable_text
from approval_api.database.tables import api_tokens, schedules
from approval_api.schedules import firings
from dryrun_contract.schedule import ScheduleRequest, ScheduleView

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
    return None if row is None else read_one(row, _view, "this schedule")


async def list_all(connection: AsyncConnection, limit: int) -> list[ScheduleView]:
    """Return schedules, those that are due next first, the paused ones last."""
    found = await connection.execute(
        _WITH_TOKENS.order_by(schedules.c.next_at.nulls_last(), schedules.c.id).limit(limit)
    )
    return readable(found.mappings(), _view, "a schedule")


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
    await firings.skip_open(connection, schedule_id, "it was paused before it could start")
    return True


async def resume(
    connection: AsyncConnection, schedule_id: UUID, next_at: datetime, token_id: UUID | None = None
) -> None:
    """Let a paused schedule fire again; failures so far are forgotten.

    A schedule that is not paused depends on no token from now on, unless a token resumes it: that changes
    nothing.
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
