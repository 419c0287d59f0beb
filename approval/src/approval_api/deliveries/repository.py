"""Rows of destinations and deliveries, as people work on them; the process that sends has its own statements.

Every function works inside the caller's transaction.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, case, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.readable import read_one, readable
from approval_api.database.tables import deliveries, destinations
from approval_api.database.tables import delivery_items as items
from dryrun_contract.delivery import (
    FILE_KINDS,
    ONE_OBJECT_FOR_ALL,
    Counts,
    DeliveryItem,
    DeliveryState,
    DeliveryView,
    DestinationCheck,
    DestinationKind,
    DestinationRequest,
    DestinationView,
)

_COUNTS = text("""
SELECT delivery_id, action, state, count(*) AS number FROM gateway.delivery_items
WHERE delivery_id = ANY(:ids) GROUP BY delivery_id, action, state
""")

_HOLDERS = text("""
SELECT n.name FROM gateway.destinations n WHERE EXISTS (
    SELECT 1 FROM gateway.delivered s
    WHERE s.destination_id = n.id AND s.discovery_id = :discovery_id
        AND NOT s.removed AND s.digest <> ''::bytea)
ORDER BY n.name
""")

# What is left alone is settled without sending, and a file is delivered when it can be fetched. What changed
# since the preview, or lost its approval, is in neither.
_SETTLE = text("""
WITH settled AS (
    UPDATE gateway.delivery_items i SET next_at = now(), attempts = 0,
        state = CASE
            WHEN NOT CASE WHEN jsonb_exists(i.content, 'gone_at')
                THEN EXISTS (SELECT 1 FROM gateway.approved_removals d
                    WHERE d.id = i.discovery_id AND d.revision = i.revision)
                ELSE EXISTS (SELECT 1 FROM gateway.approved_discoveries d
                    WHERE d.id = i.discovery_id AND d.revision = i.revision) END THEN 'withdrawn'
            WHEN action = 'leave' OR :is_file THEN 'delivered'
            ELSE 'waiting' END,
        answered_at = CASE WHEN action = 'leave' OR :is_file THEN now() ELSE answered_at END
    WHERE i.delivery_id = :id AND i.state = 'planned'
    RETURNING i.destination_id, i.discovery_id, i.revision, i.digest, i.reference, i.state,
        jsonb_exists(i.content, 'gone_at') AS removed)
INSERT INTO gateway.delivered (destination_id, discovery_id, revision, digest, reference, removed)
SELECT destination_id, discovery_id, revision, digest, reference, removed FROM settled
WHERE state = 'delivered'
ON CONFLICT (destination_id, discovery_id) DO UPDATE SET revision = excluded.revision,
    digest = excluded.digest, reference = excluded.reference, removed = excluded.removed,
    delivered_at = now()
""")

# Where several collectors' discoveries are one object, what is done for one changes what is known about the
# others. An object that is left alone because another collector finds it passes to that collector, for which
# it may be known already; an object that is marked as gone may be found again by another collector, and
# nothing else would show that. So the others get no revision and no digest here, and their next preview looks
# at the object.
_DOUBT_OTHERS = text(r"""
WITH RECURSIVE collectors AS (
    (SELECT collector FROM gateway.discoveries ORDER BY collector LIMIT 1)
    UNION ALL
    SELECT n.collector FROM collectors c CROSS JOIN LATERAL (
        SELECT collector FROM gateway.discoveries WHERE collector > c.collector ORDER BY collector LIMIT 1) n)
INSERT INTO gateway.delivered AS known (destination_id, discovery_id, revision, digest)
SELECT DISTINCT ON (other.id) i.destination_id, other.id, 0,
    CASE i.action WHEN 'remove' THEN '\x00'::bytea ELSE ''::bytea END AS digest
FROM gateway.delivery_items i JOIN gateway.discoveries d ON d.id = i.discovery_id CROSS JOIN collectors c
JOIN gateway.discoveries other
    ON other.collector = c.collector AND other.kind = d.kind AND other.key_sha256 = d.key_sha256
WHERE other.id <> d.id AND i.delivery_id = :id AND i.state IN ('waiting', 'delivered')
    AND jsonb_exists(i.content, 'gone_at')
ORDER BY other.id, digest DESC
ON CONFLICT (destination_id, discovery_id) DO UPDATE SET revision = 0,
    digest = CASE WHEN known.digest = ''::bytea THEN ''::bytea ELSE excluded.digest END
WHERE NOT known.removed AND excluded.digest <> ''::bytea
""")

_LOCK_DESTINATION = text("""
SELECT 1 FROM gateway.destinations WHERE id = (
    SELECT destination_id FROM gateway.deliveries WHERE id = :id) FOR NO KEY UPDATE
""")

# Whoever removes a destination locks it first, then its deliveries and items; in another order two deadlock.
_KEEP_DESTINATION = text("""
SELECT 1 FROM gateway.destinations WHERE id = (
    SELECT destination_id FROM gateway.deliveries WHERE id = :id) FOR KEY SHARE
""")

# Before the approval they are looked at again, so that nothing is approved that no preview showed.
_RESEND = text("""
UPDATE gateway.delivery_items SET state = CASE WHEN :approved THEN 'waiting' ELSE 'checking' END,
    attempts = 0, next_at = now(), lease = NULL
WHERE delivery_id = :id AND state = 'dead'
""")

# What could not be looked at was not previewed: it comes with the next delivery.
_LEAVE_OUT = text("""
UPDATE gateway.delivery_items SET state = 'discarded', lease = NULL WHERE delivery_id = :id AND state = 'dead'
""")


_REQUEST_CHECK = text("""
UPDATE gateway.destinations SET check_requested_at = now(), check_lease_until = NULL,
    check_answered_at = NULL, check_passed = NULL, check_answer = NULL
WHERE id = :id AND coalesce(check_lease_until, '-infinity') <= now()
""")


async def insert_destination(
    connection: AsyncConnection, destination_id: UUID, request: DestinationRequest, created_by: str
) -> bool:
    """Store a destination; False when there is one of this name."""
    added = await connection.execute(
        insert(destinations)
        .values(
            id=destination_id,
            name=request.name,
            request=request.model_dump(mode="json"),
            created_by=created_by,
        )
        .on_conflict_do_nothing(index_elements=["name"])
    )
    return added.rowcount == 1


async def count_destinations(connection: AsyncConnection) -> int:
    """Return how many destinations there are."""
    counted = await connection.execute(text("SELECT count(*) FROM gateway.destinations"))
    number: int = counted.scalar_one()
    return number


async def previewed_lately(connection: AsyncConnection, person: str) -> int:
    """Return how many deliveries a person had previewed within a day, whatever became of them."""
    counted = await connection.execute(
        text(
            "SELECT count(*) FROM gateway.deliveries "
            "WHERE requested_at > now() - interval '1 day' AND requested_by = :person"
        ),
        {"person": person},
    )
    number: int = counted.scalar_one()
    return number


async def request_check(connection: AsyncConnection, destination_id: UUID) -> None:
    """Have a destination checked, unless that is under way, or it asked to be left alone."""
    await connection.execute(_REQUEST_CHECK, {"id": destination_id})


async def list_destinations(connection: AsyncConnection) -> list[DestinationView]:
    """Return all destinations by name."""
    found = await connection.execute(select(destinations).order_by(destinations.c.name))
    return readable(found.mappings(), _destination, "a destination")


async def find_destination(
    connection: AsyncConnection, destination_id: UUID, *, lock: bool = False
) -> DestinationView | None:
    """Return a destination, or None; with `lock`, others who want to change or remove it wait."""
    query = select(destinations).where(destinations.c.id == destination_id)
    found = await connection.execute(query.with_for_update(key_share=True) if lock else query)
    row = found.mappings().one_or_none()
    return None if row is None else read_one(row, _destination, "this destination")


async def holders(connection: AsyncConnection, discovery_id: int) -> list[str]:
    """Return the names of destinations that a discovery was delivered to."""
    found = await connection.execute(_HOLDERS, {"discovery_id": discovery_id})
    return list(found.scalars())


async def remove_destination(connection: AsyncConnection, destination_id: UUID) -> bool:
    """Delete a destination with its deliveries, and the record of what it has."""
    removed = await connection.execute(delete(destinations).where(destinations.c.id == destination_id))
    return removed.rowcount == 1


async def list_deliveries(connection: AsyncConnection, limit: int) -> list[DeliveryView]:
    """Return the newest deliveries, newest first."""
    order = (deliveries.c.requested_at.desc(), deliveries.c.id.desc())
    found = await connection.execute(_with_destination().order_by(*order).limit(limit))
    rows = list(found.mappings())
    counts = await _counts(connection, rows)
    return readable(rows, lambda row: _view(row, counts[row["id"]]), "a delivery")


async def find_delivery(
    connection: AsyncConnection, delivery_id: UUID, *, lock: bool = False
) -> DeliveryView | None:
    """Return a delivery, or None; with `lock`, whoever wants to change it or remove its destination waits."""
    query = _with_destination().where(deliveries.c.id == delivery_id)
    if lock:
        await connection.execute(_KEEP_DESTINATION, {"id": delivery_id})
        query = query.with_for_update(of=deliveries)
    found = await connection.execute(query)
    row = found.mappings().one_or_none()
    if row is None:
        return None
    counts = await _counts(connection, [row])
    return read_one(row, lambda row: _view(row, counts[delivery_id]), "this delivery's destination")


async def approve(connection: AsyncConnection, delivery_id: UUID, by: str, kind: DestinationKind) -> None:
    """Let the items of a planned delivery be sent; those of a file count as delivered."""
    approved = "UPDATE gateway.deliveries SET approved_by = :by, approved_at = now() WHERE id = :id"
    await connection.execute(text(approved), {"id": delivery_id, "by": by})
    await connection.execute(_LEAVE_OUT, {"id": delivery_id})
    await connection.execute(_SETTLE, {"id": delivery_id, "is_file": kind in FILE_KINDS})
    if kind in ONE_OBJECT_FOR_ALL:
        await connection.execute(_DOUBT_OTHERS, {"id": delivery_id})


async def discard(connection: AsyncConnection, delivery_id: UUID) -> None:
    """Give up a delivery that nobody approved; its items are deleted."""
    for statement in (
        "UPDATE gateway.deliveries SET discarded_at = now() WHERE id = :id",
        "DELETE FROM gateway.delivery_items WHERE delivery_id = :id",
    ):
        await connection.execute(text(statement), {"id": delivery_id})


async def resend(connection: AsyncConnection, delivery_id: UUID, *, approved: bool) -> None:
    """Let given-up items be sent again; before the approval, looked at again."""
    # A preview at this moment takes their place, or leaves them out: one after the other.
    await connection.execute(_LOCK_DESTINATION, {"id": delivery_id})
    await connection.execute(_RESEND, {"id": delivery_id, "approved": approved})


async def page_of_items(
    connection: AsyncConnection, delivery_id: UUID, after: int, limit: int, state: str | None
) -> list[DeliveryItem]:
    """Return items after the id `after`, in the order in which they are sent, without their contents."""
    columns = [items.c[name] for name in DeliveryItem.model_fields]
    query = select(*columns).where(items.c.delivery_id == delivery_id, items.c.id > after)
    if state is not None:
        query = query.where(items.c.state == state)
    found = await connection.execute(query.order_by(items.c.id).limit(limit))
    return [DeliveryItem.model_validate(dict(row)) for row in found.mappings()]


def _with_destination() -> Select[Any]:
    return select(
        deliveries,
        destinations.c.name.label("destination"),
        destinations.c.request.label("request"),
        case((destinations.c.not_before > func.now(), destinations.c.not_before)).label("rests_until"),
    ).join(destinations, destinations.c.id == deliveries.c.destination_id)


async def _counts(connection: AsyncConnection, rows: Sequence[RowMapping]) -> dict[UUID, Counts]:
    counted: dict[UUID, dict[str, int]] = {row["id"]: {} for row in rows}
    for row in await connection.execute(_COUNTS, {"ids": list(counted)}):
        of = counted[row.delivery_id]
        for name in (row.action, row.state):
            of[name] = of.get(name, 0) + row.number
    return {row["id"]: Counts(**counted[row["id"]]) for row in rows}


def _view(row: RowMapping, counts: Counts) -> DeliveryView:
    request = DestinationRequest.model_validate(row["request"])
    state = _state(row, counts)
    return DeliveryView(
        id=row["id"],
        destination_id=row["destination_id"],
        destination=row["destination"],
        kind=request.kind,
        place=request.place,
        state=state,
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        approved_by=row["approved_by"],
        approved_at=row["approved_at"],
        unchanged=row["unchanged"],
        more=row["more"],
        counts=counts,
        rests_until=row["rests_until"] if state in {"checking", "sending"} else None,
    )


def _state(row: RowMapping, counts: Counts) -> DeliveryState:
    if row["discarded_at"] is not None:
        return "discarded"
    if row["approved_at"] is None:
        return "checking" if counts.checking else "planned"
    if counts.waiting:
        return "sending"
    return "stuck" if counts.dead else "done"


def _destination(row: RowMapping) -> DestinationView:
    return DestinationView(
        id=row["id"],
        request=DestinationRequest.model_validate(row["request"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        check=_check(row) if row["check_requested_at"] is not None else None,
    )


def _check(row: RowMapping) -> DestinationCheck:
    return DestinationCheck(
        requested_at=row["check_requested_at"],
        answered_at=row["check_answered_at"],
        passed=row["check_passed"],
        answer=row["check_answer"],
    )
