"""Route: the discoveries of one session, as its collectors reported them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Reader
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.dryrun import repository
from approval_api.discoveries.dryrun.schemas import DiscoveryList, DiscoveryView
from approval_api.events.repository import address_map
from approval_api.sessions.service import require
from approval_api.web.pagination import from_cursor, row_id, to_cursor

router = APIRouter(prefix="/sessions/{session_id}/discoveries", tags=["discoveries"])


@router.get("")
async def list_discoveries(
    session_id: UUID,
    _: Reader,
    _turn: ListTurn,
    transaction: Transaction,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
    cursor: str | None = None,
    kind: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = None,
) -> DiscoveryList:
    """List discoveries in the order they arrived. A page of large discoveries ends early."""
    await require(transaction, session_id)
    after = from_cursor(cursor, row_id) or 0
    addresses = await address_map(transaction, session_id)
    rows, more = await repository.page(transaction, session_id, after, limit, kind)
    return DiscoveryList(
        discoveries=tuple(DiscoveryView.of(row, addresses) for row in rows),
        next=to_cursor(rows[-1]["id"]) if more else None,
    )
