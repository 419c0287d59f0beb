"""Pages of a long list of discoveries: by key, and with an end to what one page looks at.

Both tables have the columns and indexes that this needs. A page walks an index from where the cursor stands
and looks at `WINDOW` rows at most; what no index can tell apart (search, a second filter) is looked for among
those. So a page takes the same time wherever it lies, may hold fewer rows than asked for, and its cursor goes
on where it stopped looking.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    Table,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.pagination import from_cursor, to_cursor

WINDOW = 2_000
MAX_LIMIT = 200
MAX_ID = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly."""

KindFilter = Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["service"])]
NameFilter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
SearchFilter = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00]*$",
        description="Text that stands in the key or in the data, upper and lower case alike. "
        f"A page looks at {WINDOW} rows at most: go on with `next` until it is null.",
    ),
]
PageLimit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


class Status(StrEnum):
    """What was decided of a discovery."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


type SortOrder = Literal["newest", "oldest", "key", "-key", "kind", "-kind", "status", "-status"]
"""A leading minus turns it round. Rows that are equal in it stand in the order they arrived."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a list is to be shown."""

    sort: SortOrder = "newest"
    limit: int = 50
    cursor: str | None = None
    session_id: UUID | None = None
    """Of dry-runs only."""
    kind: str | None = None
    status: Status | None = None
    collector: str | None = None
    changed: bool | None = None
    """Production only: whether it changed since it was decided on."""
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in their order, and where the next page begins; None when there is nothing more to look at."""

    rows: list[RowMapping]
    next: str | None


def key_order(table: Table) -> ColumnElement[str]:
    """Return what keys are sorted by, exactly as the indexes have it."""
    return func.left(table.c.key, literal(200, literal_execute=True)).collate("C")


def _sort_column(table: Table, sort: str) -> ColumnElement[Any] | None:
    match sort.removeprefix("-"):
        case "key":
            return key_order(table)
        case "kind" | "status" as name:
            return table.c[name]
        case _:
            return None


def _read_cursor(key: list[object]) -> tuple[str | None, int]:
    value, row_id = key
    if not (value is None or isinstance(value, str)) or not isinstance(row_id, int):
        raise TypeError("a cursor of this list holds a text or nothing, and a row's id")
    if not 0 <= row_id < 2**63 or (value is not None and "\x00" in value):
        raise ValueError("a cursor of this list holds a row's id")
    return value, row_id


def _after(
    table: Table, column: ColumnElement[Any] | None, at: tuple[str | None, int], *, backwards: bool
) -> ColumnElement[bool]:
    value, row_id = at
    if column is None:
        return table.c.id < row_id if backwards else table.c.id > row_id
    known = value or ""
    beyond = column < known if backwards else column > known
    beyond_id = table.c.id < row_id if backwards else table.c.id > row_id
    # Both halves: the first alone bounds the walk through the index.
    bound = column <= known if backwards else column >= known
    return and_(bound, or_(beyond, beyond_id))


def _told_by_an_index(table: Table, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return conditions that an index has in front of the order, so that walking it skips nothing."""
    if wanted.session_id is not None:
        return [table.c.dryrun_session_id == wanted.session_id]
    if wanted.sort.removeprefix("-") in {"kind", "status"}:
        return []
    if wanted.status is not None and (wanted.kind is None or wanted.status is not Status.PENDING):
        return [table.c.status == wanted.status.value]
    return [] if wanted.kind is None else [table.c.kind == wanted.kind]


def _told_by_looking(rows: FromClause, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.kind is not None:
        conditions.append(rows.c.kind == wanted.kind)
    if wanted.status is not None:
        conditions.append(rows.c.status == wanted.status.value)
    if wanted.collector is not None:
        conditions.append(rows.c.collector == wanted.collector)
    if wanted.changed is not None:
        changed = and_(rows.c.status == Status.PENDING.value, rows.c.decided_as.is_not(None))
        conditions.append(changed if wanted.changed else ~changed)
    if wanted.search is not None:
        conditions.append(
            or_(
                rows.c.key.icontains(wanted.search, autoescape=True),
                cast(rows.c.data, SqlText).icontains(wanted.search, autoescape=True),
            )
        )
    return conditions


async def read_page(connection: AsyncConnection, table: Table, wanted: Wanted) -> Page:
    """Return a page of `table`. Raises a 422 problem for a cursor that is not of this list."""
    backwards = wanted.sort == "newest" or wanted.sort.startswith("-")
    column = _sort_column(table, wanted.sort)
    sorted_by = (literal(None, SqlText) if column is None else column).label("sorted_by")

    def in_order(query: Select[Any], rows: Any) -> Select[Any]:
        columns = [rows.id] if column is None else [rows.sorted_by, rows.id]
        return query.order_by(*(each.desc() if backwards else each.asc() for each in columns))

    walk = select(table.c.id, sorted_by).where(*_told_by_an_index(table, wanted))
    at = from_cursor(wanted.cursor, _read_cursor)
    if at is not None:
        walk = walk.where(_after(table, column, at, backwards=backwards))
    order = [table.c.id] if column is None else [column, table.c.id]
    walk = walk.order_by(*(each.desc() if backwards else each.asc() for each in order)).limit(WINDOW)
    looked_at = walk.add_columns(*(each for each in table.c if each.name != "id")).subquery("looked_at")
    query = in_order(select(looked_at), looked_at.c).limit(wanted.limit + 1)
    query = query.where(*_told_by_looking(looked_at, wanted))
    rows = list((await connection.execute(query)).mappings())
    if len(rows) > wanted.limit:
        last = rows[wanted.limit - 1]
        return Page(rows[: wanted.limit], to_cursor(last["sorted_by"], last["id"]))
    end = (await connection.execute(walk.offset(WINDOW - 1).limit(1))).one_or_none()
    return Page(rows, None if end is None else to_cursor(end.sorted_by, end.id))
