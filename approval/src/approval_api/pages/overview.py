"""Page: what runs, what waits, how the last ones came out, and whether everything works."""

from fastapi import APIRouter, Request, Response

from approval_api.authentication import Reader
from approval_api.database.engine import Transaction
from approval_api.follower.follower import Follower
from approval_api.pages.rendering import Pages, page
from approval_api.sessions import repository

router = APIRouter(include_in_schema=False)

_LOOKED_AT = 40
_RESULTS = 6
_WAITING = frozenset({"requested", "queued"})


@router.get("/")
async def show_overview(request: Request, visitor: Reader, transaction: Transaction) -> Response:
    """Show the state of everything."""
    state = request.app.state
    pages: Pages = state.pages
    if state.settings.dryrun == "off":
        return page(request, "overview.html", visitor, follower=None)
    sessions = await repository.page(transaction, _LOOKED_AT, None)
    ended = [session for session in sessions if session.phase == "ended"]
    results = [await pages.results.of(transaction, session.id) for session in ended[:_RESULTS]]
    follower: Follower = state.follower
    return page(
        request,
        "overview.html",
        visitor,
        follower=follower.state,
        running=[each for each in sessions if each.phase not in _WAITING and each.phase != "ended"],
        # Oldest first: it is the next one.
        waiting=[each for each in reversed(sessions) if each.phase in _WAITING],
        results=[result for result in results if result is not None],
    )
