"""Approving and rejecting: a decision applies to discoveries as they were seen, not as they changed since."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from fastapi import Request
from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import RowMapping, Table, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.audit.log import note
from approval_api.database.storable import storable_text
from approval_api.discoveries.listing import MAX_ID, Status
from dryrun_contract.base import UtcTime, Word

MAX_AT_ONCE = 500

type DecidedAs = Literal["approved", "rejected"]


class Seen(Word):
    """A discovery in the revision that a person saw."""

    id: Annotated[int, Field(ge=1, le=MAX_ID, examples=[4711])]
    revision: Annotated[int, Field(ge=1, le=2**31 - 1, examples=[1])]


class Decision(Word):
    """A decision on one or more discoveries. `pending` takes an earlier decision back."""

    decision: Annotated[Status, Field(examples=["rejected"])]
    note: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=2000), Field(examples=["decommissioned"])
    ] = ""
    discoveries: Annotated[tuple[Seen, ...], Field(min_length=1, max_length=MAX_AT_ONCE)]

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if len({seen.id for seen in self.discoveries}) < len(self.discoveries):
            raise ValueError("a discovery is listed twice; list each once")
        return self


class Decided(Word):
    """The result of a decision."""

    decided: tuple[int, ...]
    changed: tuple[int, ...]
    """Changed since they were seen, so not decided on: look at them again."""
    unknown: tuple[int, ...]


class DecisionView(Word):
    """A decision: who made it, when and why."""

    decision: DecidedAs
    by: str
    at: UtcTime
    note: str


def decision_view(row: RowMapping) -> DecisionView | None:
    """Return the newest decision on a row of either table; None before the first."""
    if row["decided_as"] is None:
        return None
    return DecisionView(
        decision=row["decided_as"], by=row["decided_by"], at=row["decided_at"], note=row["note"]
    )


def note_decision(request: Request, decision: Decision, decided: Decided) -> None:
    """Note the decision, its discoveries and its reason for the audit log."""
    ids = ", ".join(map(str, decided.decided)) or "none"
    why = f": {decision.note}" if decision.note else ""
    note(request, object_=f"discoveries {ids}", detail=f"{decision.decision.value}{why}")


async def decide(connection: AsyncConnection, table: Table, decision: Decision, actor: str) -> Decided:
    """Store `decision` on discoveries that are unchanged since they were seen; return the others."""
    wanted = {seen.id: seen.revision for seen in decision.discoveries}
    # In the order in which reports lock them too, so that no two deadlock.
    locked = select(table.c.id, table.c.revision).where(table.c.id.in_(wanted)).order_by(table.c.id)
    found = {row.id: row.revision for row in await connection.execute(locked.with_for_update())}
    same = [row_id for row_id, revision in found.items() if wanted[row_id] == revision]
    await _store(connection, table, same, decision, actor)
    return Decided(
        decided=tuple(same),
        changed=tuple(sorted(found.keys() - set(same))),
        unknown=tuple(sorted(wanted.keys() - found.keys())),
    )


async def _store(
    connection: AsyncConnection, table: Table, ids: Iterable[int], decision: Decision, actor: str
) -> None:
    taken_back = decision.decision is Status.PENDING
    await connection.execute(
        update(table)
        .where(table.c.id.in_(bindparam("ids", expanding=True)))
        .values(
            status=decision.decision.value,
            decided_as=None if taken_back else decision.decision.value,
            decided_by=None if taken_back else actor,
            decided_at=None if taken_back else func.now(),
            note=None if taken_back else storable_text(decision.note),
        ),
        {"ids": list(ids)},
    )
