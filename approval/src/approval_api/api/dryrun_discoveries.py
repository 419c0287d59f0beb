"""Routes: discoveries of all dry-runs, and decisions on them for practice. Production is elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.access.authentication import Decider, Reader
from approval_api.access.large_answers import ListTurn
from approval_api.database.engine import Transaction
from approval_api.discoveries.decisions import Decided, Decision, decision_view, note_decision
from approval_api.discoveries.dryrun import repository
from approval_api.discoveries.dryrun.schemas import PracticeList, PracticeView
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
from approval_api.events.repository import address_maps
from approval_api.scoring.naming import name_place
from approval_api.web.problems import ProblemError

router = APIRouter(prefix="/discoveries", tags=["discoveries"])


@router.get("")
async def list_practice(
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
) -> PracticeList:
    """List discoveries of all dry-runs, or of one. A page ends early when what it shows is large."""
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
    return PracticeList(discoveries=await views(transaction, page.rows), next=page.next)


@router.post("/decisions")
async def decide_practice(
    request: Request, person: Decider, transaction: Transaction, decision: Decision
) -> Decided:
    """Approve, reject or take back, one or many, for practice: it has no effect anywhere else."""
    decided = await repository.decide(transaction, decision, person.name)
    note_decision(request, decision, decided)
    return decided


@router.get("/{discovery_id:int}")
async def show_practice(
    discovery_id: Annotated[int, Path(ge=1, le=MAX_ID)], _: Reader, transaction: Transaction
) -> PracticeView:
    """Show one discovery of a dry-run with all its evidence."""
    row = await repository.find(transaction, discovery_id)
    if row is None:
        raise ProblemError(
            "unknown-discovery", 404, f"there is no discovery {discovery_id} of a dry-run; it may be removed"
        )
    (view,) = await views(transaction, [row])
    return view


async def views(connection: AsyncConnection, rows: Iterable[RowMapping]) -> tuple[PracticeView, ...]:
    """Return `rows` as clients and pages see them, each with its own session's names."""
    rows = list(rows)
    maps = await address_maps(connection, {row["dryrun_session_id"] for row in rows})
    return tuple(_view(row, maps.get(row["dryrun_session_id"], {})) for row in rows)


def _view(row: RowMapping, addresses: Mapping[str, str]) -> PracticeView:
    place = name_place(row["key"], addresses)
    return PracticeView(
        id=row["id"],
        revision=row["revision"],
        session_id=row["dryrun_session_id"],
        status=row["status"],
        decision=decision_view(row),
        collector=row["collector"],
        run=row["run"],
        line=row["line"],
        kind=row["kind"],
        key=row["key"],
        named_key=place.key,
        service=place.service,
        data=row["data"],
        confidence=row["confidence"],
        found_at=row["found_at"],
    )
