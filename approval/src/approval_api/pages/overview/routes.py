"""Page: what runs, what waits, how the last ones came out, and whether everything works."""

import asyncio

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import Reader
from approval_api.follower.follower import Follower
from approval_api.orchestrator.client import at_once
from approval_api.pages.overview.results import Result
from approval_api.pages.rendering import page
from approval_api.pages.trend_charts import sparkline
from approval_api.reports.repository import figures_of
from approval_api.sessions import repository
from approval_api.trends.reading import sparklines

router = APIRouter(include_in_schema=False)

_LOOKED_AT = 40
_RESULTS = 6
_WAITING = frozenset({"requested", "queued"})


@router.get("/")
async def show_overview(request: Request, visitor: Reader) -> Response:
    """Show the state of everything. Nothing is computed here: who opens this page is not to wait.

    What is prepared, and on which hosts, is the orchestrator's to say; it is left out when that takes more
    than a moment.
    """
    state = request.app.state
    if state.settings.dryrun == "off":
        return page(request, "overview/overview.html", visitor, follower=None)
    async with state.engine.connect() as connection:
        sessions = await repository.page(connection, _LOOKED_AT, None)
        ended = [session for session in sessions if session.phase == "ended"][:_RESULTS]
        figures = await figures_of(connection, [session.id for session in ended])
        trends = await sparklines(connection)
    follower: Follower = state.follower
    pool, fleet = (
        await asyncio.gather(
            at_once(state.orchestrator.pool(), "what is prepared"),
            at_once(state.orchestrator.fleet(), "the hosts"),
        )
        if follower.state.following
        else (None, None)
    )
    return page(
        request,
        "overview/overview.html",
        visitor,
        follower=follower.state,
        pool=pool.lines if pool else (),
        hosts=fleet.hosts if fleet else (),
        running=[each for each in sessions if each.phase not in _WAITING and each.phase != "ended"],
        # Oldest first: it is the next one.
        waiting=[each for each in reversed(sessions) if each.phase in _WAITING],
        trends=[(each, sparkline(each.recalls)) for each in trends],
        results=[Result.of(session, figures.get(session.id)) for session in ended],
    )
