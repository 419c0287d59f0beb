"""Routes of production: collectors report, people decide. They never touch rows of a dry-run."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Collecting, Decider, Reader
from approval_api.api.scans import require_collector, require_scan
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.decisions import Decided, Decision, note_decision
from approval_api.discoveries.life import Happened, Life
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
from approval_api.discoveries.production import intake, repository, rules
from approval_api.discoveries.production.schemas import (
    Change,
    History,
    ProductionList,
    ProductionView,
    Received,
    ReportedDiscoveries,
)
from approval_api.web.problems import ProblemError
from dryrun_contract.base import UtcTime
from dryrun_contract.production import ChangeSummary

router = APIRouter(prefix="/production/discoveries", tags=["production"])

DiscoveryId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.post("")
async def report_discoveries(
    request: Request, reporting: Collecting, transaction: Transaction, reported: ReportedDiscoveries
) -> Received:
    """Store what a collector found in production. A discovery whose data has changed is pending again.

    A token reports only under its collectors' names: otherwise one compromised collector could overwrite
    what all others reported.
    """
    require_collector(reporting, reported.collector)
    await intake.require_room(request, transaction, reporting.name)
    # Before the scan is read: one that ends at this moment has ended then.
    await repository.lock_collector(transaction, reported.collector)
    scan = None if reported.scan is None else await require_scan(transaction, reported.scan, reporting)
    if scan is not None and (scan.ended_at is not None or scan.collector != reported.collector):
        raise ProblemError(
            "not-this-scan",
            409,
            f"scan {scan.id} of {scan.collector!r} has ended; begin another"
            if scan.ended_at
            else f"scan {scan.id} is of {scan.collector!r}, not of {reported.collector!r}",
            title="Not this scan",
        )
    received, ids, stored_bytes = await repository.receive(
        transaction,
        reported.collector,
        reported.discoveries,
        reported_by=reporting.name,
        quick=scan is not None and scan.profile == "quick",
        cut_off=reported.cut_off,
    )
    approved = await rules.apply(
        transaction,
        reported.collector,
        reporting.name,
        ids,
        request.app.state.standing.may_decide,
        request.scope.get("request_id"),
    )
    await intake.count(transaction, reporting.name, stored_bytes)
    received = received.model_copy(update={"approved": approved})
    counts = ", ".join(f"{count} {name}" for name, count in received.model_dump().items())
    note(request, object_=reported.collector, detail=counts)
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
    change: Life | None = None,
    happened: Life | None = None,
    since: Annotated[UtcTime | None, Query(examples=["2026-11-26T00:00:00Z"])] = None,
    until: UtcTime | None = None,
    search: SearchFilter = None,
) -> ProductionList:
    """List production discoveries. `changed=true`: what changed, went or returned after a decision.

    `change` is what each is now; `happened` with `since`, and with `until` if given, is what it was at some
    time, as the summary counts it. A page of large discoveries ends early.
    """
    if (happened is None) != (since is None) or (since is None and until is not None):
        raise ProblemError(
            "invalid-request",
            422,
            "`happened` and `since` belong together: what happened, and since when; `until` is optional",
            title="The request is not valid",
        )
    wanted = Wanted(
        sort=sort,
        limit=limit,
        cursor=cursor,
        kind=kind,
        status=status,
        collector=collector,
        changed=changed,
        change=change,
        happened=None if happened is None or since is None else Happened(happened, since, until),
        search=search,
    )
    page = await repository.list_all(transaction, wanted)
    return ProductionList(discoveries=tuple(map(ProductionView.of, page.rows)), next=page.next)


@router.get("/summary")
async def summarize_changes(
    _: Reader,
    _turn: ListTurn,
    transaction: Transaction,
    since: Annotated[UtcTime, Query(examples=["2026-11-26T00:00:00Z"])],
) -> ChangeSummary:
    """Count what is new, changed, gone or back since a time, by kind."""
    return await repository.changes_since(transaction, since)


@router.post("/decisions")
async def decide_production(
    request: Request, person: Decider, transaction: Transaction, decision: Decision
) -> Decided:
    """Approve or reject discoveries, or withdraw decisions."""
    decided = await repository.decide(transaction, decision, person.name)
    note_decision(request, decision, decided)
    return decided


@router.get("/{discovery_id:int}")
async def show_production(discovery_id: DiscoveryId, _: Reader, transaction: Transaction) -> ProductionView:
    """Show one discovery with all its evidence."""
    return ProductionView.of(await repository.require(transaction, discovery_id))


@router.get("/{discovery_id:int}/changes")
async def list_changes(
    discovery_id: DiscoveryId, _: Reader, _turn: ListTurn, transaction: Transaction
) -> History:
    """Show what changed in later scans, newest first, as many as fit into a page."""
    await repository.require(transaction, discovery_id)
    rows = await repository.history(transaction, discovery_id)
    return History(changes=tuple(map(Change.of, rows)))
