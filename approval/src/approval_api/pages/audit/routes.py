"""Page: the audit log, newest first."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from approval_api.access.permission import Administrator
from approval_api.audit import listing
from approval_api.audit.entry import AuditOutcome
from approval_api.audit.transaction import Transaction
from approval_api.pages.rendering import page

router = APIRouter(include_in_schema=False)

_PER_PAGE = 50


@router.get("/audit")
async def show_audit(
    request: Request,
    visitor: Administrator,
    transaction: Transaction,
    cursor: str | None = None,
    actor: Annotated[str, Query(max_length=200)] = "",
    action: Annotated[str, Query(max_length=200)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show who did what, newest first."""
    chosen = AuditOutcome(outcome) if outcome in set(AuditOutcome) else None
    listed = await listing.page(
        transaction,
        _PER_PAGE,
        cursor,
        actor=actor.replace("\x00", "").strip() or None,
        action=action.replace("\x00", "").strip() or None,
        outcome=chosen,
    )
    return page(
        request,
        "audit/audit.html",
        visitor,
        entries=listed.entries,
        next=listed.next,
        cursor=cursor,
        actor=actor,
        action=action,
        outcome=chosen.value if chosen else "",
        outcomes=list(AuditOutcome),
    )
