"""Route: what a session's collectors found. Dry-run only; production will have routes of its own."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import RowMapping

from approval_api.access.authentication import Reader
from approval_api.access.large_answers import ListTurn
from approval_api.database.engine import Transaction
from approval_api.discoveries.dryrun import repository
from approval_api.discoveries.dryrun.schemas import DiscoveryList, DiscoveryView
from approval_api.events.repository import address_map
from approval_api.scoring.naming import name_place
from approval_api.sessions.service import require
from approval_api.web.pagination import from_cursor, to_cursor

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
    """List what was found, in the order it arrived. A page ends early when what it shows is large."""
    await require(transaction, session_id)
    after = from_cursor(cursor, _row_id) or 0
    addresses = await address_map(transaction, session_id)
    rows, more = await repository.page(transaction, session_id, after, limit, kind)
    return DiscoveryList(
        discoveries=tuple(_view(row, addresses) for row in rows),
        next=to_cursor(rows[-1]["id"]) if more else None,
    )


def _row_id(key: list[object]) -> int:
    (row_id,) = key
    if not isinstance(row_id, int) or not 0 <= row_id < 2**63:
        raise ValueError("a cursor of this list holds a row's id")
    return row_id


def _view(row: RowMapping, addresses: Mapping[str, str]) -> DiscoveryView:
    place = name_place(row["key"], addresses)
    return DiscoveryView(
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
