"""Rows of `discoveries`: production's, never a dry-run's."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable, storable_text
from approval_api.database.tables import discoveries as table
from approval_api.database.tables import discovery_changes as changes
from approval_api.discoveries import decisions
from approval_api.discoveries.decisions import Decided, Decision
from approval_api.discoveries.life import Life, found_since
from approval_api.discoveries.listing import Page, Wanted, read_page, read_some, read_within
from approval_api.discoveries.production.intake import ROW_BYTES
from approval_api.discoveries.production.schemas import Received
from approval_api.web.problems import unknown
from dryrun_contract.discovery import Discovery
from dryrun_contract.kinds import KINDS, OTHER_KINDS
from dryrun_contract.production import ChangeCount, ChangeSummary
from dryrun_contract.resource_key import ResourceKey

MAX_CHANGES = 100

# Concurrent reports of one collector run one after the other, so that each compares with the stored rows.
# Rows are changed in the order of their ids, as decisions lock them, so that no two deadlock.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('production ' || :collector, 0))")

_RECEIVE = text(r"""
WITH reported AS (
    SELECT kind, key, data, confidence, host, sha256(replace(key, '\', '\\')::bytea) AS key_sha256
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS reported(
        kind text, key text, data jsonb, confidence double precision, host inet)
), before AS (
    SELECT known.id, known.kind, known.key_sha256, known.data, known.confidence, known.reported_by,
        known.gone_at
    FROM gateway.discoveries AS known JOIN reported USING (kind, key_sha256)
    WHERE known.collector = :collector
), compared AS (
    SELECT reported.*, before.id, before.data AS known_data, before.confidence AS known_confidence,
        before.reported_by AS known_reported_by,
        CASE WHEN :cut_off AND before.id IS NOT NULL THEN
            (reported.confidence, (SELECT count(*) FROM jsonb_object_keys(reported.data)))
            < (before.confidence, (SELECT count(*) FROM jsonb_object_keys(before.data)))
        ELSE false END AS says_less
    FROM reported LEFT JOIN before USING (kind, key_sha256)
), stored AS (
    INSERT INTO gateway.discoveries AS known
        (collector, kind, key, data, confidence, host, seen_by_quick, reported_by)
    SELECT :collector, kind, key, CASE WHEN says_less THEN known_data ELSE data END,
        CASE WHEN says_less THEN known_confidence ELSE confidence END, host, :quick,
        -- A rule trusts its reporters with the data, and with its being there: another says only the latter.
        CASE WHEN NOT says_less OR known_reported_by = :reported_by THEN :reported_by END
    FROM compared ORDER BY id
    ON CONFLICT (collector, kind, key_sha256) DO UPDATE
    SET last_seen_at = now(), times_seen = known.times_seen + 1, confidence = excluded.confidence,
        data = excluded.data, host = excluded.host, reported_by = excluded.reported_by,
        missed_scans = 0, missed_at = NULL, gone_at = NULL,
        seen_by_quick = known.seen_by_quick OR excluded.seen_by_quick,
        revision = known.revision
            + (known.data IS DISTINCT FROM excluded.data OR known.gone_at IS NOT NULL)::integer,
        changed_at = CASE WHEN known.data IS DISTINCT FROM excluded.data OR known.gone_at IS NOT NULL
            THEN now() ELSE known.changed_at END,
        change = CASE
            WHEN known.decided_as IS NULL THEN 'new'
            WHEN known.gone_at IS NOT NULL
                AND known.decided_sha256 = sha256(convert_to(excluded.data::text, 'UTF8')) THEN 'returned'
            WHEN known.data IS DISTINCT FROM excluded.data OR known.gone_at IS NOT NULL THEN 'changed'
            ELSE known.change END,
        status = CASE
            WHEN known.data IS DISTINCT FROM excluded.data
                -- Whatever was decided on its being gone is answered by its being there.
                OR (known.gone_at IS NOT NULL
                    AND (known.status = 'approved' OR known.decided_revision = known.revision))
                THEN 'pending'
            ELSE known.status END
    RETURNING id, revision, key, data
), changed_rows AS (
    INSERT INTO gateway.discovery_changes (discovery_id, revision, before, after, change)
    SELECT stored.id, stored.revision, before.data, stored.data,
        CASE WHEN before.gone_at IS NULL THEN 'changed' ELSE 'returned' END
    FROM stored JOIN before USING (id)
    WHERE before.data IS DISTINCT FROM stored.data OR before.gone_at IS NOT NULL
    RETURNING change, after
)
SELECT (SELECT count(*) FROM stored) AS stored, (SELECT count(*) FROM before) AS known,
    (SELECT count(*) FROM changed_rows WHERE change = 'changed') AS changed,
    (SELECT count(*) FROM changed_rows WHERE change = 'returned') AS returned,
    (SELECT array_agg(id) FROM stored) AS ids,
    -- A change is kept with the data before and after it, and the row grows by their difference.
    (SELECT coalesce(sum(:row_bytes + octet_length(stored.key) + octet_length(stored.data::text)), 0)
        FROM stored LEFT JOIN before USING (id) WHERE before.id IS NULL)
    + (SELECT coalesce(sum(:row_bytes + 2 * octet_length(after::text)), 0) FROM changed_rows) AS bytes
""")


async def lock_collector(connection: AsyncConnection, collector: str) -> None:
    """Let one transaction at a time report as `collector`."""
    await connection.execute(_LOCK, {"collector": collector})


async def receive(
    connection: AsyncConnection,
    collector: str,
    discoveries: Iterable[Discovery],
    *,
    reported_by: str,
    quick: bool = False,
    cut_off: bool = False,
) -> tuple[Received, list[int], int]:
    """Store what a collector reports: new, seen again, changed or returned.

    Returns the counts, the rows, and how many bytes they take that were not there before.

    `quick`: a quick scan sees it too, so that one can miss it later. `cut_off`: what is less sure than the
    stored row, or as sure with fewer values, only shows that it is still there.
    """
    # Of duplicates in one report the last is stored: one statement changes a row once.
    rows = {(found.kind, storable_text(found.key)): found for found in discoveries}
    reported = [
        {
            "kind": kind,
            "key": key,
            "data": storable(dict(found.data)),
            "confidence": found.confidence,
            "host": address_in(key),
        }
        for (kind, key), found in rows.items()
    ]
    await lock_collector(connection, collector)
    given = {
        "collector": collector,
        "quick": quick,
        "cut_off": cut_off,
        "reported_by": reported_by,
        "row_bytes": ROW_BYTES,
        "rows": json.dumps(reported),
    }
    counts = (await connection.execute(_RECEIVE, given)).one()
    received = Received(
        new=counts.stored - counts.known,
        changed=counts.changed,
        returned=counts.returned,
        unchanged=counts.known - counts.changed - counts.returned,
    )
    return received, counts.ids, int(counts.bytes)


def address_in(key: str) -> str | None:
    """Return the address of a key's host; None for a host that is a name.

    >>> address_in("10.0.0.7:80/tcp"), address_in("[::ffff:10.0.0.7]:80/tcp"), address_in("10.0.0.7.example")
    ('10.0.0.7', '10.0.0.7', None)
    """
    try:
        address = ResourceKey.parse(key).address
    except ValueError:
        return None
    return None if address is None else str(address)


async def list_all(connection: AsyncConnection, wanted: Wanted) -> Page:
    """Return a page of production's discoveries."""
    return await read_page(connection, table, wanted)


async def require(connection: AsyncConnection, discovery_id: int) -> RowMapping:
    """Return one row. Raises a 404 problem."""
    found = await connection.execute(select(table).where(table.c.id == discovery_id))
    row = found.mappings().one_or_none()
    if row is None:
        raise unknown("discovery", discovery_id, "/api/v1/production/discoveries")
    return row


async def find_some(connection: AsyncConnection, ids: Sequence[int]) -> list[RowMapping]:
    """Return the rows of `ids`, as many as fit a page."""
    return await read_some(connection, table, ids)


async def decide(connection: AsyncConnection, decision: Decision, actor: str) -> Decided:
    """Store a decision and the revision that it is about: no rule decides on that revision again."""
    decided = await decisions.decide(connection, table, decision, actor)
    await connection.execute(
        update(table).where(table.c.id.in_(bindparam("ids", expanding=True))).values(**of_decision()),
        {"ids": list(decided.decided)},
    )
    return decided


def of_decision() -> dict[str, ColumnElement[int] | ColumnElement[bytes]]:
    """Return the columns that keep what a decision was about, for an UPDATE of its rows."""
    written = func.convert_to(cast(table.c.data, Text), "UTF8")
    return {"decided_revision": table.c.revision, "decided_sha256": func.sha256(written)}


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


async def changes_since(connection: AsyncConnection, since: datetime) -> ChangeSummary:
    """Return how many discoveries were new, changed, gone or back since a time, by kind.

    One that was several of these counts for each, once.
    """
    # A hostile collector can invent a kind for each discovery.
    kind = case((table.c.kind.in_(KINDS), table.c.kind), else_=OTHER_KINDS).label("kind")
    found = (
        select(literal(Life.NEW.value).label("change"), kind, func.count().label("count"))
        .where(found_since(table))
        .group_by(kind)
    )
    happened = (
        select(changes.c.change, kind, func.count(changes.c.discovery_id.distinct()).label("count"))
        .join_from(changes, table, changes.c.discovery_id == table.c.id)
        .where(changes.c.at >= bindparam("since"))
        .group_by(changes.c.change, kind)
    )
    counted = found.union_all(happened).order_by("change", "kind")
    rows = (await connection.execute(counted, {"since": since})).mappings()
    return ChangeSummary(since=since, counts=tuple(ChangeCount.model_validate(dict(row)) for row in rows))
