"""Routes: discoveries of all dry-runs, and decisions on them. Production has routes of its own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Decider, Reader
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.decisions import Decided, Decision, note_decision
from approval_api.discoveries.dryrun import repository
from approval_api.discoveries.dryrun.schemas import DryrunDiscoveryList, DryrunDiscoveryView
from approval_api.discoveries.listing import (
    MAX_ID,
    KindFilter,
    NameFilter,
    PageLimit,
    SearchFilter,
    SortOrder,
    Status,
    Wanted,
)
from approval_api.web.problems import ProblemError

router = APIRouter(prefix="/discoveries", tags=["discoveries"])


@router.get("")
async def list_dryrun_discoveries(
    _: Reader,
    _turn: ListTurn,
    transaction: Transaction,
    limit: PageLimit = 50,
    cursor: str | None = None,
    sort: SortOrder = "newest",
    session: UUID | None = None,
    kind: KindFilter = None,
    status: Status | None = None,
    collector: NameFilter = None,
    search: SearchFilter = None,
) -> DryrunDiscoveryList:
    """List discoveries of all dry-runs, or of one. A page of large discoveries ends early."""
    wanted = Wanted(
        sort=sort,
        limit=limit,
        cursor=cursor,
        session_id=session,
        kind=kind,
        status=status,
        collector=collector,
        search=search,
    )
    page = await repository.list_all(transaction, wanted)
    return DryrunDiscoveryList(discoveries=await repository.views(transaction, page.rows), next=page.next)


@router.post("/decisions")
async def decide_dryrun(
    request: Request, person: Decider, transaction: Transaction, decision: Decision
) -> Decided:
    """Approve or reject discoveries, or withdraw decisions. It has no effect outside of dry-runs."""
    decided = await repository.decide(transaction, decision, person.name)
    note_decision(request, decision, decided)
    return decided


@router.get("/{discovery_id:int}")
async def show_dryrun_discovery(
    discovery_id: Annotated[int, Path(ge=1, le=MAX_ID)], _: Reader, transaction: Transaction
) -> DryrunDiscoveryView:
    """Show one discovery of a dry-run with all its evidence."""
    row = await repository.find(transaction, discovery_id)
    if row is None:
        raise ProblemError(
            "unknown-discovery",
            404,
            f"there is no discovery {discovery_id} of a dry-run; it may have been deleted",
        )
    (view,) = await repository.views(transaction, [row])
    return view
