"""Rows of `dryrun_events`, read in the order of their sequence."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import BigInteger, RowMapping, column, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import dryrun_events as table
from dryrun_contract.event import AddressesMapped, Event, EventRefused
from dryrun_contract.fault_words import in_words

_COLUMNS = (table.c.journal, table.c.seq, table.c.session_id, table.c.at, table.c.type, table.c.data)

PAGE_BYTES = 256 * 1024
"""Events of one page, as JSON. Parsed, a hostile collector's take some 25 times as much."""

# The true size of a compressed value is known only when it is read; values made to expand compress best.
_PAGE = text("""
SELECT journal, seq, session_id, at, type, data, found FROM (
    SELECT *, row_number() OVER (ORDER BY seq) AS place, count(*) OVER () AS found, sum(
        CASE WHEN pg_column_compression(data) IS NULL THEN pg_column_size(data)
             ELSE octet_length(data::text) END) OVER (ORDER BY seq) AS size
    FROM (
        SELECT * FROM gateway.dryrun_events
        WHERE session_id = :session_id AND seq > :after ORDER BY seq LIMIT :limit + 1
    ) AS next
) AS measured WHERE place = 1 OR (place <= :limit AND size <= :bytes) ORDER BY seq
""").columns(*_COLUMNS, column("found", BigInteger))


def _event(row: RowMapping) -> Event:
    columns = {name: row[name] for name in ("journal", "seq", "session_id", "at", "data")}
    try:
        return Event.model_validate(columns)
    except ValidationError as error:
        # Stored by another version, with other event types or bounds.
        first = error.errors(include_url=False, include_input=False)[0]
        refused = EventRefused(claimed_type=row["type"][:100], size=0, reason=in_words(first)[:500])
        return Event.model_validate({**columns, "data": refused})


@dataclass(frozen=True, slots=True)
class EventsPage:
    """Events of a session, oldest first."""

    events: list[Event]
    is_full: bool
    """There are more events."""


async def page(connection: AsyncConnection, session_id: UUID, after: int, limit: int) -> EventsPage:
    """Return events of the session after `after`: at most `limit`, and at most PAGE_BYTES."""
    asked = {"session_id": session_id, "after": after, "limit": limit, "bytes": PAGE_BYTES}
    rows = (await connection.execute(_PAGE, asked)).mappings().all()
    return EventsPage([_event(row) for row in rows], bool(rows) and len(rows) < rows[0]["found"])


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
