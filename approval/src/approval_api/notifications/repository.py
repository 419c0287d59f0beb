"""Rows of channels. Every function works inside the caller's transaction."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.locks import hold
from approval_api.database.readable import read_one, readable
from dryrun_contract.notification import ChannelRequest, ChannelView

_LIST = """
SELECT c.*, (SELECT count(*) FROM gateway.notifications n WHERE n.channel_id = c.id AND n.state = 'waiting')
    AS waiting
FROM gateway.channels c WHERE c.owner = :owner
"""

_ADD = text("""
INSERT INTO gateway.channels (id, owner, request, signing_key)
VALUES (:id, :owner, CAST(:request AS jsonb), :signing_key)
""")

# A test does not wait for the end of quiet hours, nor for others to gather.
_TEST = text("""
INSERT INTO gateway.notifications (channel_id, occasion, object, text, link)
SELECT id, 'test', gen_random_uuid()::text, 'A test: this channel works', '/notifications'
FROM gateway.channels c WHERE c.id = :id AND c.owner = :owner AND NOT EXISTS (
    SELECT 1 FROM gateway.notifications n
    WHERE n.channel_id = c.id AND n.occasion = 'test' AND n.state = 'waiting')
""")


async def count_of(connection: AsyncConnection, owner: str) -> int:
    """Return how many channels a person has; others that count for them wait for this transaction."""
    await hold(connection, f"channels of {owner}")
    counted = await connection.execute(
        text("SELECT count(*) FROM gateway.channels WHERE owner = :owner"), {"owner": owner}
    )
    number: int = counted.scalar_one()
    return number


async def add(
    connection: AsyncConnection,
    channel_id: UUID,
    request: ChannelRequest,
    owner: str,
    signing_key: str | None,
) -> None:
    """Store a channel."""
    values: dict[str, Any] = {"id": channel_id, "owner": owner, "signing_key": signing_key}
    await connection.execute(_ADD, {**values, "request": request.model_dump_json()})


async def list_of(connection: AsyncConnection, owner: str) -> list[ChannelView]:
    """Return a person's channels, oldest first."""
    found = await connection.execute(text(_LIST + " ORDER BY c.created_at, c.id"), {"owner": owner})
    return readable(found.mappings(), _view, "a channel")


async def unreadable_of(
    connection: AsyncConnection, owner: str, listed: Collection[ChannelView]
) -> list[UUID]:
    """Return the ids of a person's channels that are not `listed`: another version stored them."""
    found = await connection.execute(
        text("SELECT id FROM gateway.channels WHERE owner = :owner ORDER BY created_at, id"), {"owner": owner}
    )
    known = {view.id for view in listed}
    return [each for each in found.scalars() if each not in known]


async def find(connection: AsyncConnection, channel_id: UUID, owner: str) -> ChannelView | None:
    """Return a person's own channel, or None."""
    found = await connection.execute(text(_LIST + " AND c.id = :id"), {"owner": owner, "id": channel_id})
    row = found.mappings().one_or_none()
    return None if row is None else read_one(row, _view, "this channel")


async def remove(connection: AsyncConnection, channel_id: UUID, owner: str) -> bool:
    """Delete a person's own channel and what waits to be sent on it."""
    removed = await connection.execute(
        text("DELETE FROM gateway.channels WHERE id = :id AND owner = :owner"),
        {"id": channel_id, "owner": owner},
    )
    return removed.rowcount == 1


async def request_test(connection: AsyncConnection, channel_id: UUID, owner: str) -> None:
    """Store a test to be sent, unless one waits already."""
    await hold(connection, f"channels of {owner}")
    await connection.execute(_TEST, {"id": channel_id, "owner": owner})


def _view(row: RowMapping) -> ChannelView:
    return ChannelView(
        id=row["id"],
        request=ChannelRequest.model_validate(row["request"]),
        created_at=row["created_at"],
        waiting=row["waiting"],
        answer=row["answer"],
        answered_at=row["answered_at"],
    )
