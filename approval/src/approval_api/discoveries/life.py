"""What there is to decide on a production discovery, and what happened to it within a time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BindParameter, ColumnElement, Table, and_, bindparam, func, literal, select, true

from approval_api.database.tables import discovery_changes as changes


class Life(StrEnum):
    """What there is to decide on a production discovery."""

    NEW = "new"
    """Nobody decided on it yet."""
    CHANGED = "changed"
    """Its data changed after the last decision."""
    GONE = "gone"
    """The number of complete scans in a row that the operator set covered it and did not report it."""
    RETURNED = "returned"
    """It was gone, and was seen again."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Discoveries to which this happened since a time, and until one, if there is one; both included."""

    change: Life
    since: datetime
    until: datetime | None = None

    @property
    def values(self) -> dict[str, object]:
        """Return the parameters of `happened_to`."""
        given: dict[str, object] = {"happened": self.change.value, "since": self.since}
        return given if self.until is None else given | {"until": self.until}


def found_since(table: Table) -> ColumnElement[bool]:
    """Return the condition that a discovery was found since the parameter `since`."""
    since: BindParameter[datetime] = bindparam("since")
    # No index has `found_at` alone; what was found since has not changed before.
    return and_(func.coalesce(table.c.changed_at, table.c.found_at) >= since, table.c.found_at >= since)


def happened_to(table: Table, *, new: bool, bounded: bool) -> ColumnElement[bool]:
    """Return the condition with the parameters of `Happened.values`.

    `new`: what happened is that it was found. `bounded`: there is an `until`.
    """
    until: BindParameter[datetime] = bindparam("until")
    if new:
        # The parameter's name stands in the statement, so that all lists have the same values.
        named = bindparam("happened") == literal(Life.NEW.value)
        return and_(named, found_since(table), table.c.found_at <= until if bounded else true())
    happened = (
        select(changes.c.discovery_id)
        .where(changes.c.change == bindparam("happened"), changes.c.at >= bindparam("since"))
        .where(changes.c.at <= until if bounded else true())
    )
    return table.c.id.in_(happened)
