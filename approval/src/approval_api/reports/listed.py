"""The list of sessions with the figures of those that are scored, as clients of this API get it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.reports.figures import Figures
from approval_api.reports.repository import figures_of
from approval_api.sessions.schemas import SessionList
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


async def with_figures(connection: AsyncConnection, page: SessionList) -> ListedSessions:
    """Return the page with stored figures; nothing is computed for it."""
    ended = [session.id for session in page.sessions if session.phase == Phase.ENDED]
    found = await figures_of(connection, ended)
    figures = {session_id: each for session_id, each in found.items() if isinstance(each, Figures)}
    listed = (
        ListedSession(**session.model_dump(), figures=figures.get(session.id)) for session in page.sessions
    )
    return ListedSessions(sessions=tuple(listed), next=page.next)
