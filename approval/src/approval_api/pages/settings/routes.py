"""Page: how this deployment is set up, and why something is not available."""

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import Reader
from approval_api.follower.follower import Follower
from approval_api.pages.rendering import page
from approval_api.settings import Settings

router = APIRouter(include_in_schema=False)


@router.get("/settings")
async def show_settings(request: Request, visitor: Reader) -> Response:
    """Show whether dry-runs are available; administrators see what an operator set, but no secret."""
    settings: Settings = request.app.state.settings
    follower: Follower | None = request.app.state.follower
    return page(
        request,
        "settings/settings.html",
        visitor,
        settings=settings,
        follower=follower.state if follower else None,
    )
