"""The outbox as the sending process works on it: claims items under a lease and stores what became of them.

Several processes may work at once. An item belongs to whoever holds its lease; when that process dies, the
lease ends and another one repeats the item, with the same message id.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable_text
from approval_api.deliveries.sending.sender import Item, Result
from dryrun_contract.delivery import DestinationRequest

LEASE = timedelta(seconds=90)
"""Longer than anything that is done for one item."""

_DUE = text("""
SELECT d.id, d.request, d.unanswered FROM gateway.destinations d
WHERE coalesce(d.not_before, '-infinity') <= now() AND EXISTS (
    SELECT 1 FROM gateway.delivery_items i
    WHERE i.destination_id = d.id AND i.state IN ('checking', 'waiting') AND i.next_at <= now())
ORDER BY d.id
""")

# Before its items: whoever removes a destination locks it first, and in any other order two deadlock.
_KEEP_DESTINATION = text("SELECT 1 FROM gateway.destinations WHERE id = :id FOR KEY SHARE")
_KEEP_DESTINATION_OF = text("""
SELECT 1 FROM gateway.destinations WHERE id = (
    SELECT destination_id FROM gateway.delivery_items WHERE id = :id) FOR KEY SHARE
""")

# In order for each host: an item waits for those before it, also while they are sent or paused. So of each
# host the first item alone may be due, and the index leads from one host's first item to the next one's,
# however many items a host has. Twice as many are looked at, since other processes hold some.
_CLAIM = text("""
WITH RECURSIVE firsts AS (
    (SELECT host, id, next_at FROM gateway.delivery_items
     WHERE destination_id = :destination_id AND state = 'waiting' ORDER BY host, id LIMIT 1)
    UNION ALL
    SELECT n.host, n.id, n.next_at FROM firsts CROSS JOIN LATERAL (
        SELECT i.host, i.id, i.next_at FROM gateway.delivery_items i
        WHERE i.destination_id = :destination_id AND i.state = 'waiting' AND i.host > firsts.host
        ORDER BY i.host, i.id LIMIT 1) n
), candidates AS MATERIALIZED (
    (SELECT id FROM firsts WHERE next_at <= now() LIMIT 2 * CAST(:most AS integer))
    UNION ALL
    (SELECT id FROM gateway.delivery_items
     WHERE destination_id = :destination_id AND state = 'checking' AND next_at <= now()
     ORDER BY next_at, id LIMIT 2 * CAST(:most AS integer))
), due AS MATERIALIZED (
    SELECT i.id FROM gateway.delivery_items i
    WHERE i.id IN (SELECT id FROM candidates) AND i.state IN ('checking', 'waiting') AND i.next_at <= now()
    ORDER BY i.id LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE gateway.delivery_items i
SET lease = :lease, next_at = now() + CAST(:for_as_long AS interval), attempts = i.attempts + 1
FROM due WHERE i.id = due.id
RETURNING i.id, i.lease, i.message_id, i.state, i.kind, i.key, i.host, i.action, i.content, i.attempts,
    i.reference,
    jsonb_exists(i.content, 'gone_at') AND gateway.is_found_by_another(i.discovery_id) AS is_found_by_another,
    CASE WHEN jsonb_exists(i.content, 'gone_at')
        THEN EXISTS (SELECT 1 FROM gateway.approved_removals d
            WHERE d.id = i.discovery_id AND d.revision = i.revision)
        ELSE EXISTS (SELECT 1 FROM gateway.approved_discoveries d
            WHERE d.id = i.discovery_id AND d.revision = i.revision) END AS current
""")

_WITHDRAW = text("""
UPDATE gateway.delivery_items SET state = 'withdrawn', lease = NULL, answered_at = now(),
    answer = 'changed or no longer approved since the preview'
WHERE id = ANY(:ids) AND lease = :lease
""")

# A destination that was sent something and did not answer may have acted on it. So what it has gets a
# revision and a digest that nothing has, and the next preview sends it the current state, even a removal. The
# empty digest says that the object may not be there, the other one that it is.
_DOUBT = text(r"""
INSERT INTO gateway.delivered AS known (destination_id, discovery_id, revision, digest, removed)
SELECT destination_id, discovery_id, 0, ''::bytea, jsonb_exists(content, 'gone_at')
FROM gateway.delivery_items WHERE id = ANY(:ids)
ON CONFLICT (destination_id, discovery_id) DO UPDATE SET revision = 0, removed = false,
    delivered_at = now(), digest = CASE WHEN known.removed OR excluded.removed OR known.digest = ''::bytea
        THEN ''::bytea ELSE '\x00'::bytea END
""")

_CHECKED = text("""
UPDATE gateway.delivery_items SET state = 'planned', action = :action, answer = :answer, answered_at = now(),
    reference = coalesce(:reference, reference), lease = NULL, attempts = 0
WHERE id = :id AND lease = :lease AND state = 'checking'
""")

# Both or neither, and nothing when the lease went to another process meanwhile.
_DELIVERED = text("""
WITH sent AS (
    UPDATE gateway.delivery_items SET state = 'delivered', action = :action, answer = :answer,
        answered_at = now(), reference = coalesce(:reference, reference), lease = NULL
    WHERE id = :id AND lease = :lease AND state = 'waiting'
    RETURNING destination_id, discovery_id, revision, digest, reference,
        jsonb_exists(content, 'gone_at') AS removed)
INSERT INTO gateway.delivered AS known (destination_id, discovery_id, revision, digest, reference, removed)
SELECT * FROM sent
ON CONFLICT (destination_id, discovery_id) DO UPDATE SET revision = excluded.revision,
    digest = excluded.digest, reference = excluded.reference, removed = excluded.removed,
    delivered_at = now()
""")

_PAUSE = text("""
UPDATE gateway.delivery_items SET next_at = now() + CAST(:pause AS interval), lease = NULL,
    answer = :answer, answered_at = now()
WHERE id = :id AND lease = :lease
""")

_GIVE_UP = text("""
UPDATE gateway.delivery_items SET state = 'dead', lease = NULL, answer = :answer, answered_at = now()
WHERE id = :id AND lease = :lease
""")

# In the row, so that neither another process nor a new one starts counting from zero.
_NO_ANSWER = text("""
UPDATE gateway.destinations SET unanswered = least(unanswered + 1, 30), not_before = greatest(not_before,
    now() + greatest(CAST(:asked_for AS interval),
        least(CAST(:first AS interval) * power(2, least(unanswered, 30)), CAST(:longest AS interval))))
WHERE id = :destination_id
""")

_ANSWER = text("""
UPDATE gateway.destinations
SET unanswered = 0, not_before = greatest(not_before, now() + CAST(:asked_for AS interval))
WHERE id = :destination_id
""")


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination that has items due."""

    id: UUID
    stored: object
    """Its request as it is stored, perhaps by another version."""
    unanswered: int
    """How often in a row nothing came of what was sent to it."""

    def request(self) -> DestinationRequest:
        """Return the request. Raises pydantic.ValidationError."""
        return DestinationRequest.model_validate(self.stored)


async def due(connection: AsyncConnection) -> list[Destination]:
    """Return the destinations that something is due for."""
    return [Destination(row.id, row.request, row.unanswered) for row in await connection.execute(_DUE)]


async def claim(connection: AsyncConnection, destination_id: UUID, most: int) -> tuple[list[Item], int]:
    """Take up to `most` items that are due, and return those to be sent, and how many were taken.

    What changed since the preview, or lost its approval, is withdrawn and not sent.
    """
    lease = uuid4()
    await connection.execute(_KEEP_DESTINATION, {"id": destination_id})
    claimed = await connection.execute(
        _CLAIM, {"destination_id": destination_id, "most": most, "lease": lease, "for_as_long": LEASE}
    )
    rows = claimed.mappings().all()
    stale = [row["id"] for row in rows if not row["current"]]
    if stale:
        await connection.execute(_WITHDRAW, {"ids": stale, "lease": lease})
        sent = [row["id"] for row in rows if not row["current"] and _may_have_been_sent(row)]
        await connection.execute(_DOUBT, {"ids": sent})
    items = [
        Item(**{name: value for name, value in row.items() if name != "current"})
        for row in sorted(rows, key=lambda row: row["id"])
        if row["current"]
    ]
    return items, len(rows)


async def store_check(connection: AsyncConnection, item: Item, found: Result) -> None:
    """Store what sending would do."""
    await connection.execute(_CHECKED, _of(item, found))


async def store_delivery(connection: AsyncConnection, item: Item, result: Result) -> None:
    """Store that the destination has the item."""
    await connection.execute(_KEEP_DESTINATION_OF, {"id": item.id})
    await connection.execute(_DELIVERED, _of(item, result))


async def pause(connection: AsyncConnection, item: Item, why: str, seconds: float) -> None:
    """Have the item tried again after `seconds`."""
    pause = timedelta(seconds=seconds)
    await connection.execute(
        _PAUSE, {"id": item.id, "lease": item.lease, "answer": _said(why), "pause": pause}
    )


async def give_up(connection: AsyncConnection, item: Item, why: str) -> None:
    """Put the item on the list of those that a person may send again."""
    given = {"id": item.id, "lease": item.lease, "answer": _said(why)}
    await connection.execute(_KEEP_DESTINATION_OF, {"id": item.id})
    given_up = (await connection.execute(_GIVE_UP, given)).rowcount
    if given_up and item.state == "waiting" and item.attempts > 1:
        await connection.execute(_DOUBT, {"ids": [item.id]})


async def store_silence(
    connection: AsyncConnection,
    destination_id: UUID,
    asked_for: timedelta,
    first: timedelta,
    longest: timedelta,
) -> None:
    """Leave a destination that did not answer alone: for `first`, then twice as long each time.

    At most for `longest`, unless it asked for more.
    """
    given = {"destination_id": destination_id, "asked_for": asked_for, "first": first, "longest": longest}
    await connection.execute(_NO_ANSWER, given)


async def store_answer(connection: AsyncConnection, destination_id: UUID, asked_for: timedelta) -> None:
    """Note that a destination answered; send it nothing for as long as it asked for."""
    await connection.execute(_ANSWER, {"destination_id": destination_id, "asked_for": asked_for})


def _may_have_been_sent(row: RowMapping) -> bool:
    """Return whether an earlier attempt began and its end is unknown."""
    return bool(row["state"] == "waiting" and row["attempts"] > 1)


def _of(item: Item, result: Result) -> dict[str, object]:
    return {
        "id": item.id,
        "lease": item.lease,
        "action": result.action,
        "answer": _said(result.answer),
        "reference": None if result.reference is None else storable_text(result.reference[:500]),
    }


def _said(text_of: str) -> str:
    return storable_text(text_of[:1000])
