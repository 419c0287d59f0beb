"""Rows of `discoveries`: production's, never a dry-run's."""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable, storable_text
from approval_api.database.tables import discoveries as table
from approval_api.database.tables import discovery_changes as changes
from approval_api.discoveries import decisions
from approval_api.discoveries.decisions import Decided, Decision
from approval_api.discoveries.listing import Page, Wanted, read_page, read_some, read_within
from approval_api.discoveries.production.schemas import Received
from dryrun_contract.discovery import Discovery

MAX_CHANGES = 100

# Concurrent reports of one collector run one after the other, so that each compares with the stored rows.
# Rows are changed in the order of their ids, as decisions lock them, so that no two deadlock.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('production ' || :collector, 0))")

_RECEIVE = text(r"""
WITH reported AS (
    SELECT kind, key, data, confidence, sha256(replace(key, '\', '\\')::bytea) AS key_sha256
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS reported(
        kind text, key text, data jsonb, confidence double precision)
), before AS (
    SELECT known.id, known.kind, known.key_sha256, known.data
    FROM gateway.discoveries AS known JOIN reported USING (kind, key_sha256)
    WHERE known.collector = :collector
), stored AS (
    INSERT INTO gateway.discoveries AS known (collector, kind, key, data, confidence)
    SELECT :collector, reported.kind, reported.key, reported.data, reported.confidence
    FROM reported LEFT JOIN before USING (kind, key_sha256)
    ORDER BY before.id
    ON CONFLICT (collector, kind, key_sha256) DO UPDATE
    SET last_seen_at = now(), times_seen = known.times_seen + 1, confidence = excluded.confidence,
        data = excluded.data,
        revision = known.revision + (known.data IS DISTINCT FROM excluded.data)::integer,
        changed_at = CASE WHEN known.data IS DISTINCT FROM excluded.data THEN now() ELSE known.changed_at END,
        status = CASE WHEN known.data IS DISTINCT FROM excluded.data THEN 'pending' ELSE known.status END
    RETURNING id, revision, data
), changed_rows AS (
    INSERT INTO gateway.discovery_changes (discovery_id, revision, before, after)
    SELECT stored.id, stored.revision, before.data, stored.data
    FROM stored JOIN before USING (id)
    WHERE before.data IS DISTINCT FROM stored.data
    RETURNING discovery_id
)
SELECT (SELECT count(*) FROM stored) AS stored, (SELECT count(*) FROM before) AS known,
    (SELECT count(*) FROM changed_rows) AS changed
""")


async def receive(connection: AsyncConnection, collector: str, discoveries: Iterable[Discovery]) -> Received:
    """Store what a collector reports: new, seen again, or changed."""
    # Of duplicates in one report the last is stored: one statement changes a row once.
    rows = {(found.kind, storable_text(found.key)): found for found in discoveries}
    reported = [
        {"kind": kind, "key": key, "data": storable(dict(found.data)), "confidence": found.confidence}
        for (kind, key), found in rows.items()
    ]
    await connection.execute(_LOCK, {"collector": collector})
    result = await connection.execute(_RECEIVE, {"collector": collector, "rows": json.dumps(reported)})
    counts = result.one()
    return Received(
        new=counts.stored - counts.known,
        changed=counts.changed,
        unchanged=counts.known - counts.changed,
    )


async def list_all(connection: AsyncConnection, wanted: Wanted) -> Page:
    """Return a page of production's discoveries."""
    return await read_page(connection, table, wanted)


async def find(connection: AsyncConnection, discovery_id: int) -> RowMapping | None:
    """Return one row, or None."""
    found = await connection.execute(select(table).where(table.c.id == discovery_id))
    return found.mappings().one_or_none()


async def find_some(connection: AsyncConnection, ids: Sequence[int]) -> list[RowMapping]:
    """Return the rows of `ids`, as many as fit a page."""
    return await read_some(connection, table, ids)


async def decide(connection: AsyncConnection, decision: Decision, actor: str) -> Decided:
    """Store a decision."""
    return await decisions.decide(connection, table, decision, actor)


async def history(connection: AsyncConnection, discovery_id: int) -> list[RowMapping]:
    """Return the newest changes of a discovery, newest first, as many as fit a page."""
    query = (
        select(changes)
        .where(changes.c.discovery_id == discovery_id)
        .order_by(changes.c.id.desc())
        .limit(MAX_CHANGES)
    )
    rows, _ = await read_within(connection, query, ["-id"], MAX_CHANGES, "before", "after")
    return rows
