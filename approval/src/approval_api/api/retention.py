"""Route: for how long things are kept, and what was removed lately."""

from fastapi import APIRouter, Request

from approval_api.access.permission import Administrator
from approval_api.audit import listing
from approval_api.audit.transaction import Transaction
from approval_api.retention.pruning import ACTION
from approval_api.settings import Settings
from dryrun_contract.retention import Removed, RetentionView

router = APIRouter(prefix="/retention", tags=["audit"])

_SHOWN = 50


@router.get("")
async def show_retention(request: Request, _: Administrator, transaction: Transaction) -> RetentionView:
    """Show the policy and the newest removals."""
    settings: Settings = request.app.state.settings
    lines = await listing.page(transaction, _SHOWN, None, action=ACTION)
    return RetentionView(
        sessions_days=settings.keep_sessions_days or None,
        events_days=settings.keep_events_days or None,
        discoveries_days=settings.keep_discoveries_days or None,
        audit_days=settings.keep_audit_days or None,
        removed=tuple(
            Removed(id=each.id, at=each.at, object=each.object or "", detail=each.detail or "")
            for each in lines.entries
        ),
    )
