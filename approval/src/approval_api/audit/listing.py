"""Pages of the audit log, as clients and pages see it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.audit.entry import AuditOutcome
from approval_api.database.tables import audit_log as table
from approval_api.web.pagination import cut, from_cursor, row_id
from dryrun_contract.base import UtcTime, Word


class AuditView(Word):
    """Who did what, on what, from where, with which outcome."""

    id: int
    at: UtcTime
    actor: str | None
    """Null when nobody was authenticated."""
    proof: str | None
    """`cookie`, `token`, `setting` (a program of APPROVAL_TOKENS), or null."""
    action: str
    object: str | None
    address: str | None
    request_id: str | None
    """The same as in the logs of this service and of the orchestrator, and in its audit log."""
    outcome: AuditOutcome
    detail: str | None


class AuditPage(Word):
    """Newest first; `next` is the cursor of the next page, null on the last."""

    entries: tuple[AuditView, ...]
    next: str | None


async def page(
    connection: AsyncConnection,
    limit: int,
    cursor: str | None,
    *,
    actor: str | None = None,
    action: str | None = None,
    outcome: AuditOutcome | None = None,
) -> AuditPage:
    """Return a page of the log. Raises a 422 problem for a cursor that this list did not issue."""
    query = select(table).order_by(table.c.id.desc()).limit(limit + 1)
    before = from_cursor(cursor, row_id)
    if before is not None:
        query = query.where(table.c.id < before)
    for column, value in ((table.c.actor, actor), (table.c.action, action), (table.c.outcome, outcome)):
        if value is not None:
            query = query.where(column == value)
    rows = list((await connection.execute(query)).mappings())
    shown, following = cut(rows, limit, lambda row: (row["id"],))
    return AuditPage(entries=tuple(AuditView.model_validate(dict(row)) for row in shown), next=following)
