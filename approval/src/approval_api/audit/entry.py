"""Lines of the audit log: who did what, on what, from where, with which outcome. Only ever added."""

import logging
from dataclasses import dataclass
from enum import StrEnum

from fastapi import Request
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable_text
from approval_api.database.tables import audit_log as table
from approval_api.identity.person import Person
from approval_api.web.origin import address_of
from dryrun_contract.text import printable

logger = logging.getLogger(__name__)


class AuditOutcome(StrEnum):
    """The outcome of a command."""

    DONE = "done"
    REFUSED = "refused"
    """Refused by a rule: forbidden, invalid or unknown."""
    FAILED = "failed"
    """Failed by a fault: it may have had an effect."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log."""

    action: str
    outcome: AuditOutcome
    actor: str | None = None
    """None when nobody was authenticated."""
    proof: str | None = None
    object: str | None = None
    detail: str | None = None
    address: str | None = None
    request_id: str | None = None


def entry_of(
    request: Request,
    action: str,
    outcome: AuditOutcome,
    *,
    person: Person | None = None,
    object_: str | None = None,
    detail: str | None = None,
) -> Entry:
    """Return the line for a command that `request` gave."""
    return Entry(
        action=action,
        outcome=outcome,
        actor=person.name if person else None,
        proof=person.proof.value if person else None,
        object=object_,
        detail=detail,
        address=address_of(request),
        request_id=request.scope.get("request_id"),
    )


async def write(connection: AsyncConnection, entry: Entry) -> None:
    """Add a line, in the transaction of the command it records."""
    await connection.execute(
        insert(table).values(
            actor=entry.actor,
            proof=entry.proof,
            action=entry.action,
            object=_text(entry.object),
            address=_text(entry.address),
            request_id=entry.request_id,
            outcome=entry.outcome.value,
            detail=_text(entry.detail),
        )
    )


def keep(entry: Entry, error: Exception) -> None:
    """Put a line into the service's log: the database cannot take it, and what it records is over."""
    logger.error("the audit log could not be written", extra={"entry": str(entry), "reason": str(error)})


def _text(text: str | None) -> str | None:
    return None if text is None else storable_text(printable(text, limit=1000))
