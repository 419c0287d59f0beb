"""Keeps checks, and counts the table of production discoveries for one."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, insert, select, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import discoveries, forecast_checks
from dryrun_contract.check import Check, Comparison
from dryrun_contract.discovery import Discovery
from dryrun_contract.outcome import MAX_FOUND, Outcome, OutcomeCount

MAX_KEPT = 1000
"""Checks; the oldest goes when another one comes."""
_AT_ONCE = 2000
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('forecast checks'))")


async def production_outcome(
    connection: AsyncConnection, *, seconds: float | None, packets: int | None
) -> Outcome:
    """Return what production holds, as counts; what somebody rejected is not there."""
    counted = OutcomeCount()
    wanted = (
        select(
            discoveries.c.kind,
            discoveries.c.key,
            func.left(discoveries.c.data["product"].astext, 200).label("product"),
            discoveries.c.confidence,
        )
        .where(discoveries.c.kind.in_(("host", "service")), discoveries.c.status != "rejected")
        .limit(MAX_FOUND + 1)
    )
    async with connection.stream(wanted.execution_options(yield_per=_AT_ONCE)) as rows:
        async for row in rows.mappings():
            data = {} if row["product"] is None else {"product": row["product"]}
            counted.add(Discovery(kind=row["kind"], key=row["key"], data=data, confidence=row["confidence"]))
    return counted.outcome(complete=True, seconds=seconds, packets=packets)


async def keep(connection: AsyncConnection, check: Check) -> Check:
    """Store a check and return it, or the stored one with the same comparison, which counts once.

    Beyond `MAX_KEPT` the oldest ones go.
    """
    values = {
        "session_id": check.session_id,
        "source": check.source,
        "comparison": check.comparison.model_dump(mode="json"),
    }
    await connection.execute(_LOCK)
    found = await connection.execute(
        select(forecast_checks).where(*(forecast_checks.c[name] == value for name, value in values.items()))
    )
    if (row := found.mappings().first()) is not None:
        return _check(row)
    await connection.execute(
        insert(forecast_checks).values(
            id=check.id,
            template=check.template,
            checked_by=check.checked_by,
            checked_at=check.checked_at,
            **values,
        )
    )
    newest = (
        select(forecast_checks.c.id)
        .order_by(forecast_checks.c.checked_at.desc(), forecast_checks.c.id.desc())
        .limit(MAX_KEPT)
    )
    await connection.execute(forecast_checks.delete().where(forecast_checks.c.id.not_in(newest)))
    return check


async def remove(connection: AsyncConnection, check_id: UUID) -> None:
    """Delete a check, if it is there."""
    await connection.execute(forecast_checks.delete().where(forecast_checks.c.id == check_id))


async def find(connection: AsyncConnection, check_id: UUID) -> Check | None:
    """Return a check."""
    found = await connection.execute(select(forecast_checks).where(forecast_checks.c.id == check_id))
    row = found.mappings().one_or_none()
    return None if row is None else _check(row)


async def newest(connection: AsyncConnection, limit: int) -> list[Check]:
    """Return the newest checks, the newest first."""
    found = await connection.execute(
        select(forecast_checks)
        .order_by(forecast_checks.c.checked_at.desc(), forecast_checks.c.id.desc())
        .limit(limit)
    )
    return [_check(row) for row in found.mappings()]


def _check(row: RowMapping | Mapping[str, object]) -> Check:
    return Check.model_validate({**row, "comparison": Comparison.model_validate(row["comparison"])})
