"""Rows of `dryrun_events`, read in the order of their sequence."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from uuid import UUID

from sqlalchemy import RowMapping, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import dryrun_events as table
from dryrun_contract.event import AddressesMapped, Event

_COLUMNS = (table.c.journal, table.c.seq, table.c.session_id, table.c.at, table.c.data)


def _event(row: RowMapping) -> Event:
    return Event.model_validate(dict(row))


async def page(connection: AsyncConnection, session_id: UUID, after: int, limit: int) -> list[Event]:
    """Return up to `limit` events of the session that came after `after`."""
    result = await connection.execute(
        select(*_COLUMNS)
        .where(table.c.session_id == session_id, table.c.seq > after)
        .order_by(table.c.seq)
        .limit(limit)
    )
    return [_event(row) for row in result.mappings()]


async def all_of(connection: AsyncConnection, session_id: UUID, chunk: int = 2000) -> AsyncIterator[Event]:
    """Yield every event of the session, oldest first, never holding more than a chunk."""
    after = 0
    while True:
        events = await page(connection, session_id, after, chunk)
        for event in events:
            yield event
        if len(events) < chunk:
            return
        after = events[-1].seq


async def address_map(connection: AsyncConnection, session_id: UUID) -> dict[str, str]:
    """Return the session's addresses with the names of the services behind them."""
    return (await address_maps(connection, {session_id})).get(session_id, {})


async def address_maps(
    connection: AsyncConnection, session_ids: Collection[UUID]
) -> dict[UUID, dict[str, str]]:
    """Return for each session its addresses with the names of the services behind them."""
    result = await connection.execute(
        select(*_COLUMNS)
        .where(table.c.session_id.in_(session_ids), table.c.type == literal_column("'addresses_mapped'"))
        .order_by(table.c.seq)
    )
    addresses: defaultdict[UUID, dict[str, str]] = defaultdict(dict)
    for row in result.mappings():
        data = _event(row).data
        if isinstance(data, AddressesMapped):
            addresses[row["session_id"]] |= data.addresses
    return addresses
