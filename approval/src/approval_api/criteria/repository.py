"""Rows of `criteria_sets`. Every function works inside the caller's transaction."""

from sqlalchemy import RowMapping, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import criteria_sets as table
from approval_api.reports.criteria import Criteria

_LOCK = text("SELECT pg_advisory_xact_lock(1668442484)")  # "crit"


async def lock(connection: AsyncConnection) -> None:
    """Let nobody else store, remove or choose until the transaction ends."""
    await connection.execute(_LOCK)


async def all_rows(connection: AsyncConnection) -> list[RowMapping]:
    """Return every set, by name."""
    return list((await connection.execute(select(table).order_by(table.c.name))).mappings())


async def find(connection: AsyncConnection, name: str) -> RowMapping | None:
    """Return the set of that name, or None."""
    return (await connection.execute(select(table).where(table.c.name == name))).mappings().one_or_none()


async def find_default(connection: AsyncConnection) -> RowMapping | None:
    """Return the set that is the default; None while the built-in criteria are."""
    return (await connection.execute(select(table).where(table.c.is_default))).mappings().one_or_none()


async def names(connection: AsyncConnection) -> list[str]:
    """Return the names of all sets."""
    return list((await connection.execute(select(table.c.name).order_by(table.c.name))).scalars())


async def store(connection: AsyncConnection, name: str, criteria: Criteria, actor: str) -> None:
    """Store a set, or replace the one of that name; whether it is the default stays."""
    values = {
        "criteria": criteria.model_dump(mode="json", exclude_defaults=True),
        "stored_by": actor,
        "stored_at": func.now(),
    }
    await connection.execute(
        insert(table)
        .values(name=name, is_default=False, **values)
        .on_conflict_do_update(index_elements=[table.c.name], set_=values)
    )


async def set_default(connection: AsyncConnection, name: str | None) -> None:
    """Make a set the default; None: the built-in criteria."""
    await connection.execute(update(table).where(table.c.is_default).values(is_default=False))
    if name is not None:
        await connection.execute(update(table).where(table.c.name == name).values(is_default=True))


async def remove(connection: AsyncConnection, name: str) -> bool:
    """Delete a set; False when there is none."""
    return (await connection.execute(delete(table).where(table.c.name == name))).rowcount == 1
