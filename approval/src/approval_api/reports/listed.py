"""The list of sessions with the figures of those that are scored, as clients of this API get it."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.reports.figures import Figures
from approval_api.reports.repository import figures_of
from approval_api.sessions import listing
from dryrun_contract.base import Word
from dryrun_contract.session import Phase, SessionView


class ListedSession(SessionView):
    """A session of the list."""

    figures: Figures | None = None
    """None until it has ended and was scored, and where it has no report."""


class ListedSessions(Word):
    """Newest first; `next` is the cursor of the next page, null on the last."""

    sessions: tuple[ListedSession, ...]
    next: str | None


async def page(connection: AsyncConnection, limit: int, cursor: str | None) -> ListedSessions:
    """Return a page of the list. Raises a 422 problem for a cursor that this list did not issue."""
    sessions, following = await listing.page(connection, limit, cursor)
    return ListedSessions(sessions=await with_figures(connection, sessions), next=following)


async def with_figures(
    connection: AsyncConnection, sessions: Sequence[SessionView]
) -> tuple[ListedSession, ...]:
    """Return sessions with stored figures; nothing is computed for it."""
    ended = [session.id for session in sessions if session.phase == Phase.ENDED]
    found = await figures_of(connection, ended)
    figures = {session_id: each for session_id, each in found.items() if isinstance(each, Figures)}
    return tuple(
        ListedSession(**session.model_dump(), figures=figures.get(session.id)) for session in sessions
    )
