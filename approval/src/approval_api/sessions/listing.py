"""The list of sessions, newest first, in pages."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.sessions import repository
from approval_api.web.pagination import cut, from_cursor
from dryrun_contract.session import SessionView


async def page(
    connection: AsyncConnection, limit: int, cursor: str | None
) -> tuple[tuple[SessionView, ...], str | None]:
    """Return a page of the list, and the cursor of the next one.

    Raises a 422 problem for a cursor that this list did not issue.
    """
    found = await repository.page(connection, limit + 1, from_cursor(cursor, older_than))
    return cut(found, limit, lambda session: key_of(session.requested_at, session.id))


def key_of(requested_at: datetime, row_id: UUID) -> tuple[str, str]:
    """Return the sort key of a list that has the newest request first."""
    return requested_at.astimezone(UTC).isoformat(), str(row_id)


def older_than(key: list[object]) -> tuple[datetime, UUID]:
    """Read such a key back from a cursor. Raises ValueError or OverflowError for any other."""
    requested_at, session_id = key
    moment = datetime.fromisoformat(str(requested_at))
    if moment.tzinfo is None:
        raise ValueError("a cursor's time has a zone")
    return moment.astimezone(UTC), UUID(str(session_id))
