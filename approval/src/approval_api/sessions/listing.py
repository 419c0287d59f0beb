"""The list of sessions, newest first, in pages."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.sessions import repository
from approval_api.sessions.schemas import SessionList
from approval_api.web.pagination import from_cursor, to_cursor


async def page(connection: AsyncConnection, limit: int, cursor: str | None) -> SessionList:
    """Return a page of the list. Raises a 422 problem for a cursor that this list did not issue."""
    found = await repository.page(connection, limit + 1, from_cursor(cursor, older_than))
    shown = found[:limit]
    more = len(found) > limit
    return SessionList(
        sessions=tuple(shown),
        next=to_cursor(shown[-1].requested_at.isoformat(), str(shown[-1].id)) if more else None,
    )


def older_than(key: list[object]) -> tuple[datetime, UUID]:
    """Read that cursor back. Raises ValueError or OverflowError for any other."""
    requested_at, session_id = key
    moment = datetime.fromisoformat(str(requested_at))
    if moment.tzinfo is None:
        raise ValueError("a cursor's time has a zone")
    return moment.astimezone(UTC), UUID(str(session_id))
