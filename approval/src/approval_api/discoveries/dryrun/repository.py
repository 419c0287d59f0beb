"""Rows of `dryrun_discoveries`, never of production's table."""

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable, storable_text
from approval_api.database.tables import dryrun_discoveries as table
from approval_api.database.tables import follower_position
from approval_api.discoveries import decisions
from approval_api.discoveries.decisions import Decided, Decision
from approval_api.discoveries.dryrun.schemas import DryrunDiscoveryView
from approval_api.discoveries.listing import Page, Wanted, read_page, read_some, read_within
from approval_api.events.repository import address_maps
from dryrun_contract.event import DiscoveryReported, Event

_UPSERT = text("""
INSERT INTO gateway.dryrun_discoveries AS known
    (dryrun_session_id, is_dryrun, collector, run, line, kind, key, data, confidence, found_at)
SELECT dryrun_session_id, true, collector, run, line, kind, key, data, confidence, found_at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS reported(
    dryrun_session_id uuid, collector text, run text, line integer, kind text, key text, data jsonb,
    confidence double precision, found_at timestamptz)
ON CONFLICT (dryrun_session_id, collector, kind, key_sha256) DO UPDATE
SET run = excluded.run, line = excluded.line, data = excluded.data, confidence = excluded.confidence,
    found_at = excluded.found_at, revision = known.revision + 1, status = 'pending'
WHERE excluded.confidence > known.confidence
""")


async def store(connection: AsyncConnection, events: Iterable[Event]) -> None:
    """Store the discoveries in `events`; of duplicates the more confident or the first is kept."""
    # Each with its confidence.
    rows: dict[tuple[UUID, str, str, str], tuple[float, dict[str, object]]] = {}
    for event in events:
        report = event.data
        if not isinstance(report, DiscoveryReported):
            continue
        found = report.discovery
        key = storable_text(found.key)
        identity = (event.session_id, storable_text(report.collector), found.kind, key)
        known = rows.get(identity)
        if known is not None and found.confidence <= known[0]:
            continue
        row: dict[str, object] = {
            "dryrun_session_id": str(event.session_id),
            "collector": identity[1],
            "run": storable_text(report.run),
            "line": report.line,
            "kind": found.kind,
            "key": key,
            "data": storable(dict(found.data)),
            "confidence": found.confidence,
            "found_at": event.at.isoformat(),
        }
        rows[identity] = (found.confidence, row)
    if rows:
        await connection.execute(_UPSERT, {"rows": json.dumps([row for _, row in rows.values()])})


async def page(
    connection: AsyncConnection, session_id: UUID, after: int, limit: int, kind: str | None
) -> tuple[list[RowMapping], bool]:
    """Return rows of the session after row `after`, in the order they arrived, and whether there are more.

    At most `limit`, and no more than fit a page.
    """
    query = (
        select(table)
        .where(table.c.dryrun_session_id == session_id, table.c.id > after)
        .order_by(table.c.id)
        .limit(limit + 1)
    )
    if kind is not None:
        query = query.where(table.c.kind == kind)
    return await read_within(connection, query, ["id"], limit, "data")


async def list_all(connection: AsyncConnection, wanted: Wanted) -> Page:
    """Return a page of the discoveries of all dry-runs."""
    return await read_page(connection, table, wanted)


async def find(connection: AsyncConnection, discovery_id: int) -> RowMapping | None:
    """Return one row, or None."""
    found = await connection.execute(select(table).where(table.c.id == discovery_id))
    return found.mappings().one_or_none()


async def find_some(connection: AsyncConnection, ids: Sequence[int]) -> list[RowMapping]:
    """Return the rows of `ids`, as many as fit a page."""
    return await read_some(connection, table, ids)


async def views(connection: AsyncConnection, rows: Sequence[RowMapping]) -> tuple[DryrunDiscoveryView, ...]:
    """Return `rows` as clients and pages see them, each with the names of its own session's services."""
    maps = await address_maps(connection, {row["dryrun_session_id"] for row in rows})
    return tuple(DryrunDiscoveryView.of(row, maps.get(row["dryrun_session_id"], {})) for row in rows)


async def decide(connection: AsyncConnection, decision: Decision, actor: str) -> Decided:
    """Store a decision. It has no effect outside of dry-runs."""
    # One page of events after the other changes rows, in the order of its reports. Beside one, two deadlock.
    await connection.execute(select(follower_position.c.id).with_for_update(read=True))
    return await decisions.decide(connection, table, decision, actor)
