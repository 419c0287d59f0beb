"""Keeps checks, and counts the table of production discoveries for one."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.checks.completeness import find_uncovered
from approval_api.database.locks import hold
from approval_api.database.readable import read_one, readable
from approval_api.database.tables import discoveries, dryrun_sessions, forecast_checks
from dryrun_contract.check import Check, Comparison
from dryrun_contract.discovery import Discovery
from dryrun_contract.production_counts import MAX_FOUND, ProductionCounter, ProductionCounts

MAX_KEPT = 1000
"""Checks of one person; the oldest goes when another one comes."""
_AT_ONCE = 2000
_READ_AT_ONCE = 5
"""Checks of up to 100 KB, which the driver parses without a pause."""


async def production_outcome(
    connection: AsyncConnection, *, seconds: float | None, packets: int | None
) -> ProductionCounts:
    """Return what production holds, as counts; what somebody rejected and what is gone is not there.

    It is complete unless a scan of a collector that found some of it is under way or did not finish, and
    later ones do not cover its targets. What complete scans of a collector did not reach is left out for that
    collector, as in a run's output.
    """
    # First: a scan that ends while its findings are counted was under way.
    uncovered = await find_uncovered(connection)
    counted = ProductionCounter()
    wanted = (
        select(
            discoveries.c.collector,
            discoveries.c.kind,
            discoveries.c.key,
            func.left(discoveries.c.data["product"].astext, 200).label("product"),
            discoveries.c.confidence,
        )
        .where(
            discoveries.c.kind.in_(("host", "service")),
            discoveries.c.status != "rejected",
            discoveries.c.gone_at.is_(None),
        )
        .limit(MAX_FOUND + 1)
    )
    # Where collectors looked at different addresses, each one's findings are counted together.
    looked_elsewhere = dict(uncovered.networks)
    if looked_elsewhere:
        wanted = wanted.order_by(discoveries.c.collector)
    collector = None
    async with connection.stream(wanted.execution_options(yield_per=_AT_ONCE)) as rows:
        async for row in rows.mappings():
            if row["collector"] != collector:
                counted.next_collector()
                collector = row["collector"]
                counted.not_covered(looked_elsewhere.pop(collector, ()))
            data = {} if row["product"] is None else {"product": row["product"]}
            counted.add(Discovery(kind=row["kind"], key=row["key"], data=data, confidence=row["confidence"]))
    for networks in looked_elsewhere.values():
        counted.next_collector()
        counted.not_covered(networks)
    return counted.counts(complete=not uncovered.broken_off, seconds=seconds, packets=packets)


class OtherFiguresError(Exception):
    """Somebody else checked the same run, and stated another duration or other packets, or none."""

    def __init__(self, stored: Check) -> None:
        """`stored` is the check that is there."""
        super().__init__(stored.id)
        self.stored = stored


async def keep(connection: AsyncConnection, check: Check, sessions: Collection[UUID]) -> Check:
    """Store a check and return it, or the stored one with the same comparison of one of `sessions`.

    Other figures of what the run took do not make it another run: one's own check takes them over, somebody
    else's raises OtherFiguresError. Beyond `MAX_KEPT` of a person their oldest ones go, and nobody else's.
    """
    comparison = check.comparison.model_dump(mode="json")
    found = comparison.copy()
    del found["quantities"]
    await hold(connection, "forecast checks")
    same = await connection.execute(
        select(forecast_checks)
        .where(
            forecast_checks.c.session_id.in_(sessions),
            forecast_checks.c.source == check.source,
            forecast_checks.c.comparison.op("-")("quantities") == found,
        )
        .order_by(forecast_checks.c.checked_at.desc(), forecast_checks.c.id.desc())
    )
    stored = readable(same.mappings(), _check, "a check")
    taken_over = [(each, _with_figures_of(each.comparison, check.comparison)) for each in stored]
    for each, comparison_of_both in taken_over:
        if comparison_of_both == each.comparison:
            return each
    for each, comparison_of_both in taken_over:
        if each.checked_by == check.checked_by:
            return await _replace(connection, each, comparison_of_both, check.checked_at)
    if stored:
        raise OtherFiguresError(stored[0])
    # A session that was removed meanwhile takes no check along, as one that is removed later.
    known = select(dryrun_sessions.c.id).where(dryrun_sessions.c.id == check.session_id)
    session_id = await connection.scalar(known.with_for_update(read=True, key_share=True))
    check = check.model_copy(update={"session_id": session_id})
    await connection.execute(
        insert(forecast_checks).values(
            id=check.id,
            session_id=session_id,
            template=check.template,
            checked_by=check.checked_by,
            checked_at=check.checked_at,
            source=check.source,
            comparison=comparison,
        )
    )
    own = forecast_checks.c.checked_by == check.checked_by
    newest = (
        select(forecast_checks.c.id)
        .where(own)
        .order_by(forecast_checks.c.checked_at.desc(), forecast_checks.c.id.desc())
        .limit(MAX_KEPT)
    )
    await connection.execute(forecast_checks.delete().where(own, forecast_checks.c.id.not_in(newest)))
    return check


def _with_figures_of(stored: Comparison, new: Comparison) -> Comparison:
    """Return a comparison with what the run took by `new`, and what only the stored one knows of that."""
    figures = {each.name: each for each in (*stored.quantities, *new.quantities)}
    in_order = (name for name in ("seconds", "packets") if name in figures)
    return stored.model_copy(update={"quantities": tuple(figures[name] for name in in_order)})


async def _replace(
    connection: AsyncConnection, stored: Check, comparison: Comparison, now: datetime
) -> Check:
    replaced = stored.model_copy(update={"comparison": comparison, "checked_at": now})
    await connection.execute(
        update(forecast_checks)
        .where(forecast_checks.c.id == stored.id)
        .values(comparison=comparison.model_dump(mode="json"), checked_at=now)
    )
    return replaced


async def remove(connection: AsyncConnection, check_id: UUID) -> bool:
    """Delete a check; return whether it was there."""
    deleted = await connection.execute(forecast_checks.delete().where(forecast_checks.c.id == check_id))
    return deleted.rowcount > 0


async def checked_by(connection: AsyncConnection, check_id: UUID) -> str | None:
    """Return who made a check."""
    column = forecast_checks.c.checked_by
    owner: str | None = await connection.scalar(select(column).where(forecast_checks.c.id == check_id))
    return owner


async def find(connection: AsyncConnection, check_id: UUID) -> Check | None:
    """Return a check."""
    found = await connection.execute(select(forecast_checks).where(forecast_checks.c.id == check_id))
    row = found.mappings().one_or_none()
    return None if row is None else read_one(row, _check, "this check")


async def newest(connection: AsyncConnection, limit: int, *, complete: bool = False) -> list[Check]:
    """Return the newest checks, the newest first; on request those of complete production runs only."""
    wanted = select(forecast_checks)
    if complete:
        wanted = wanted.where(forecast_checks.c.comparison["complete"].as_boolean())
    newest_first = forecast_checks.c.checked_at.desc(), forecast_checks.c.id.desc()
    wanted = wanted.order_by(*newest_first).limit(limit)
    checks: list[Check] = []
    async with connection.stream(wanted.execution_options(yield_per=_READ_AT_ONCE)) as rows:
        async for row in rows.mappings():
            # A check has hundreds of groups.
            await asyncio.sleep(0)
            checks += readable([row], _check, "a check")
    return checks


def _check(row: RowMapping | Mapping[str, object]) -> Check:
    return Check.model_validate({**row, "comparison": Comparison.model_validate(row["comparison"])})
