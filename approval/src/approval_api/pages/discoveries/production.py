"""Pages of production: its queue, and the changes in later scans. Nothing here concerns dry-runs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Decider, Reader
from approval_api.audit.transaction import Transaction
from approval_api.deliveries.repository import holders
from approval_api.discoveries.decisions import note_decision
from approval_api.discoveries.life import Life
from approval_api.discoveries.production import repository, scans
from approval_api.discoveries.production.schemas import Change, ProductionView
from approval_api.identity.person import Person
from approval_api.pages.discoveries.lists import Filters, answer_decision, decision_message, read_decision
from approval_api.pages.forms import SentForm
from approval_api.pages.rendering import page, see_other
from dryrun_contract.kinds import KINDS

router = APIRouter(prefix="/production", include_in_schema=False)

LATELY = timedelta(days=1)


@router.get("/scans")
async def show_scans(request: Request, visitor: Reader) -> Response:
    """List the newest scans: what each covered, missed, and proved gone."""
    async with request.app.state.engine.connect() as connection:
        found = await scans.newest(connection)
    gone_after = request.app.state.settings.gone_after_scans
    return page(
        request, "discoveries/scans.html", visitor, scans=found, gone_after=gone_after, nothing=Filters()
    )


@router.get("/discoveries")
async def show_production_list(request: Request, visitor: Reader, _turn: ListTurn) -> Response:
    """List what collectors found in production."""
    filters = Filters.of(request.query_params)
    since = datetime.now(UTC) - LATELY
    async with request.app.state.engine.connect() as connection:
        found = await repository.list_all(connection, filters.wanted())
        lately = await repository.changes_since(connection, since)
    return page(
        request,
        "discoveries/production.html",
        visitor,
        filters=filters,
        rows=[ProductionView.of(row) for row in found.rows],
        next=found.next,
        kinds=KINDS,
        nothing=Filters(),
        since=since.isoformat(),
        lately={
            change: sum(each.count for each in lately.counts if each.change == change) for change in Life
        },
        area="production",
    )


@router.post("/discoveries", name="decide_production")
async def decide_production_list(
    request: Request, visitor: Decider, form: SentForm, _turn: ListTurn, transaction: Transaction
) -> Response:
    """Approve, reject or undo: in the list, or on the page of one discovery."""
    decision = read_decision(form)
    decided = await repository.decide(transaction, decision, visitor.name)
    note_decision(request, decision, decided)
    if form.one("page") and form.one("one"):
        (only,) = decision.discoveries
        if decided.changed:
            return await _page_of_one(request, visitor, transaction, only.id, outdated=True)
        return see_other(f"/production/discoveries/{only.id}")
    found = await repository.find_some(transaction, (*decided.decided, *decided.changed))
    rows = [ProductionView.of(row) for row in found]
    return answer_decision(
        request, visitor, form, rows, decision_message(decision, decided), area="production"
    )


@router.get("/discoveries/{discovery_id}")
async def show_production_discovery(
    discovery_id: Annotated[int, Path(ge=1, lt=2**63)], request: Request, visitor: Reader, _turn: ListTurn
) -> Response:
    """Show one discovery, and what changed from scan to scan."""
    async with request.app.state.engine.connect() as connection:
        return await _page_of_one(request, visitor, connection, discovery_id, outdated=False)


async def _page_of_one(
    request: Request, visitor: Person, connection: AsyncConnection, discovery_id: int, *, outdated: bool
) -> Response:
    """Answer with the page of one discovery; `outdated`: this request's decision on it came too late."""
    row = await repository.require(connection, discovery_id)
    history = await repository.history(connection, discovery_id)
    held_by = await holders(connection, discovery_id)
    return page(
        request,
        "discoveries/production_one.html",
        visitor,
        status=409 if outdated else 200,
        found=ProductionView.of(row),
        changes=[Change.of(each) for each in history],
        held_by=held_by,
        outdated=outdated,
        area="production",
    )
