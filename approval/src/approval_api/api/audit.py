"""Route: the audit log, newest first. No route changes it."""

from typing import Annotated

from fastapi import APIRouter, Query

from approval_api.access.permission import Administrator
from approval_api.audit import listing
from approval_api.audit.entry import AuditOutcome
from approval_api.audit.listing import AuditPage
from approval_api.audit.transaction import Transaction

router = APIRouter(prefix="/audit", tags=["audit"])

_WORD = r"^[^\x00]{1,200}$"


@router.get("")
async def list_audit(
    _: Administrator,
    transaction: Transaction,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
    actor: Annotated[str | None, Query(pattern=_WORD)] = None,
    action: Annotated[str | None, Query(pattern=_WORD)] = None,
    outcome: AuditOutcome | None = None,
) -> AuditPage:
    """List what was done and refused."""
    return await listing.page(transaction, limit, cursor, actor=actor, action=action, outcome=outcome)
