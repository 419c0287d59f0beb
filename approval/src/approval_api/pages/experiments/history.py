"""Page: one fact over the versions of the collectors that looked for it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Reader
from approval_api.experiments.service import Experiments
from approval_api.pages.rendering import page

router = APIRouter(prefix="/dryrun/facts", include_in_schema=False)

_Text = Annotated[str, Query(min_length=1, max_length=500)]


@router.get("")
async def show_fact_history(
    request: Request,
    visitor: Reader,
    _turn: ListTurn,
    template: _Text,
    kind: _Text,
    key: _Text,
    attribute: Annotated[str, Query(max_length=120)] = "",
) -> Response:
    """Show which versions found a fact and which did not, the one that ran last first."""
    experiments: Experiments = request.app.state.experiments
    history = await experiments.fact_history(template, (kind, key, attribute or None))
    return page(request, "experiments/history.html", visitor, history=history)
