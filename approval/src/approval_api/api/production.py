"""Routes of production: collectors report, people decide. Nothing here reads or writes a dry-run's rows."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlalchemy import RowMapping

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Collecting, Decider, Reader
from approval_api.audit.trail import note
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.decisions import Decided, Decision, note_decision
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
from approval_api.discoveries.production import repository
from approval_api.discoveries.production.schemas import (
    Change,
    History,
    ProductionList,
    ProductionView,
    Received,
    Report,
)
from approval_api.web.problems import ProblemError

router = APIRouter(prefix="/production/discoveries", tags=["production"])

DiscoveryId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.post("")
async def report_discoveries(
    request: Request, reporting: Collecting, transaction: Transaction, report: Report
) -> Received:
    """Take what a collector found in production. The same again changes nothing but when it was last seen.

    A token reports under the names of the collectors it was made for: else one collector that was taken over
    could rewrite what all the others reported.
    """
    if reporting.collectors is not None and report.collector not in reporting.collectors:
        named = ", ".join(sorted(reporting.collectors)) or "no collector"
        raise ProblemError(
            "not-this-collector",
            403,
            f"the token shown may report as {named}, not as {report.collector!r}; make one that names it",
            title="Not allowed",
        )
    received = await repository.receive(transaction, report.collector, report.discoveries)
    told = f"{received.new} new, {received.changed} changed, {received.unchanged} unchanged"
    note(request, object_=report.collector, detail=told)
    return received


@router.get("")
async def list_production(
    _: Reader,
    _turn: ListTurn,
    transaction: Transaction,
    limit: PageLimit = 50,
    cursor: str | None = None,
    sort: SortOrder = "newest",
    kind: KindFilter = None,
    status: Status | None = None,
    collector: NameFilter = None,
    changed: bool | None = None,
    search: SearchFilter = None,
) -> ProductionList:
    """List production's discoveries. `changed=true`: those that were decided on and then told differently.

    A page ends early when what it shows is large.
    """
    wanted = Wanted(
        sort=sort,
        limit=limit,
        cursor=cursor,
        kind=kind,
        status=status,
        collector=collector,
        changed=changed,
        search=search,
    )
    page = await repository.list_all(transaction, wanted)
    return ProductionList(discoveries=tuple(map(ProductionView.of, page.rows)), next=page.next)


@router.post("/decisions")
async def decide_production(
    request: Request, person: Decider, transaction: Transaction, decision: Decision
) -> Decided:
    """Approve, reject or take back, one or many."""
    decided = await repository.decide(transaction, decision, person.name)
    note_decision(request, decision, decided)
    return decided


@router.get("/{discovery_id:int}")
async def show_production(discovery_id: DiscoveryId, _: Reader, transaction: Transaction) -> ProductionView:
    """Show one discovery with all its evidence."""
    return ProductionView.of(await _require(transaction, discovery_id))


@router.get("/{discovery_id:int}/changes")
async def list_changes(
    discovery_id: DiscoveryId, _: Reader, _turn: ListTurn, transaction: Transaction
) -> History:
    """Show what later scans told differently, the newest first, as far as one page goes."""
    await _require(transaction, discovery_id)
    rows = await repository.history(transaction, discovery_id)
    return History(changes=tuple(map(Change.of, rows)))


async def _require(transaction: Transaction, discovery_id: int) -> RowMapping:
    row = await repository.find(transaction, discovery_id)
    if row is None:
        raise ProblemError("unknown-discovery", 404, f"there is no discovery {discovery_id} in production")
    return row
