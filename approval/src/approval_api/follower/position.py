"""How far the orchestrator's events are stored; moves by compare and set."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import follower_position as table
from approval_api.orchestrator.client import Position


@dataclass(frozen=True, slots=True)
class KnownPosition:
    """The stored position, and the database's clock when it was read."""

    position: Position | None
    """None before the first page."""
    read_at: datetime


async def load(connection: AsyncConnection) -> KnownPosition:
    """Read the position."""
    row = (
        (
            await connection.execute(
                select(table.c.journal, table.c.seq, func.clock_timestamp().label("read_at"))
            )
        )
        .mappings()
        .one()
    )
    journal = row["journal"]
    return KnownPosition(Position(journal, row["seq"]) if journal is not None else None, row["read_at"])


_MOVE = text("""
UPDATE gateway.follower_position
SET journal = CAST(:new_journal AS uuid), seq = :new_seq, moved_at = now()
WHERE journal IS NOT DISTINCT FROM CAST(:old_journal AS uuid) AND seq = :old_seq
""")


async def move(connection: AsyncConnection, old: Position | None, new: Position) -> bool:
    """Move the position from `old` to `new`; False when another follower moved it meanwhile.

    The row stays locked until the caller's transaction ends, so a second follower waits here and then finds
    the position moved.
    """
    result = await connection.execute(
        _MOVE,
        {
            "new_journal": str(new.journal),
            "new_seq": new.seq,
            "old_journal": str(old.journal) if old else None,
            "old_seq": old.seq if old else 0,
        },
    )
    return result.rowcount == 1
