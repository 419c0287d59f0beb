"""Pages of a long list of discoveries: paged by key, with a limit to the rows that one page examines.

Both tables have the columns and indexes that this needs. A page walks an index from the cursor and examines
at most `WINDOW` rows; conditions that no index covers (search, a second filter) are checked among those. It
also ends early when its rows hold more than `PAGE_BYTES`. So every page takes the same time and memory, may
hold fewer rows than requested, and its cursor continues where it stopped. What happened within a time is
found before the walk, and takes as long as counting it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, reduce
from itertools import takewhile
from operator import add, itemgetter
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    RowMapping,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.discoveries.life import Happened, Life, happened_to
from approval_api.web.pagination import from_cursor, to_cursor

WINDOW = 2_000
MAX_LIMIT = 200
PAGE_BYTES = 1024 * 1024
"""Evidence on one page, as stored. Parsed, a hostile collector's evidence takes some 20 times as much."""
MAX_ID = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly."""

_ESCAPE = "/"

KindFilter = Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["service"])]
NameFilter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
SearchFilter = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00]*$",
        description="Text in the key or in the data, in upper or lower case. "
        f"A page examines at most {WINDOW} rows: continue with `next` until it is null.",
    ),
]
PageLimit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


class Status(StrEnum):
    """The state of the decision on a discovery."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


type SortOrder = Literal["newest", "oldest", "key", "-key", "kind", "-kind", "status", "-status"]
"""A leading minus reverses the order. Equal rows are in the order they arrived."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Order, filters and position of a page."""

    sort: SortOrder = "newest"
    limit: int = 50
    cursor: str | None = None
    session_id: UUID | None = None
    """Dry-runs only."""
    kind: str | None = None
    status: Status | None = None
    collector: str | None = None
    changed: bool | None = None
    """Production only: whether it changed after the decision."""
    change: Life | None = None
    """Production only."""
    happened: Happened | None = None
    """Production only: what happened to it, whatever it is now."""
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order, and the cursor of the next page; None when all rows were examined."""

    rows: list[RowMapping]
    next: str | None


def key_order(table: Table) -> ColumnElement[str]:
    """Return the expression that keys are sorted by, exactly as in the indexes."""
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


def _after(table: Table, column: ColumnElement[Any] | None, *, backwards: bool) -> ColumnElement[bool]:
    known: BindParameter[str] = bindparam("known")
    row_id: BindParameter[int] = bindparam("row_id")
    beyond_id = table.c.id < row_id if backwards else table.c.id > row_id
    if column is None:
        return beyond_id
    beyond = column < known if backwards else column > known
    # Both halves: the first alone bounds the walk through the index.
    bound = column <= known if backwards else column >= known
    return and_(bound, or_(beyond, beyond_id))


@dataclass(frozen=True, slots=True)
class _Shape:
    """A list without its values: lists of one shape share their statements."""

    sort: SortOrder
    given: frozenset[str]
    """The conditions that have a value, by the names of their parameters."""
    pending: bool
    """The value of `status` is pending, which most rows are."""
    changed: bool | None
    new: bool
    """What happened is that it was found."""
    continued: bool

    @property
    def backwards(self) -> bool:
        """Whether rows descend."""
        return self.sort == "newest" or self.sort.startswith("-")


def _conditions_of_the_walk(table: Table, shape: _Shape) -> list[ColumnElement[bool]]:
    conditions = _conditions_of_the_index(table, shape)
    if "happened" in shape.given:
        # Few rows of many: a walk that examines `WINDOW` of all would mostly find none.
        conditions.append(happened_to(table, new=shape.new, bounded="until" in shape.given))
    return conditions


def _conditions_of_the_index(table: Table, shape: _Shape) -> list[ColumnElement[bool]]:
    """Return conditions on an index's leading columns, so that walking it skips no rows."""
    if "session_id" in shape.given:
        return [table.c.dryrun_session_id == bindparam("session_id")]
    if shape.sort.removeprefix("-") in {"kind", "status"}:
        return []
    if "change" in shape.given and shape.sort in {"newest", "oldest"}:
        return [table.c.change == bindparam("change")]
    if "status" in shape.given and ("kind" not in shape.given or not shape.pending):
        return [table.c.status == bindparam("status")]
    return [table.c.kind == bindparam("kind")] if "kind" in shape.given else []


def _other_conditions(rows: FromClause, shape: _Shape) -> list[ColumnElement[bool]]:
    conditions = [
        rows.c[name] == bindparam(name)
        for name in ("kind", "status", "collector", "change")
        if name in shape.given
    ]
    if shape.changed is not None:
        changed = and_(rows.c.status == Status.PENDING.value, rows.c.decided_as.is_not(None))
        conditions.append(changed if shape.changed else ~changed)
    if "search" in shape.given:
        search = bindparam("search", type_=SqlText)
        texts = (rows.c.key, cast(rows.c.data, SqlText))
        conditions.append(or_(*(each.icontains(search, escape=_ESCAPE) for each in texts)))
    return conditions


def stored_size(*columns: ColumnElement[Any]) -> ColumnElement[int]:
    """Return how many bytes the JSON in `columns` takes.

    The true size of a compressed value is known only when it is read; values made to expand compress best.
    """
    sizes = [
        case(
            (func.pg_column_compression(column).is_(None), func.pg_column_size(column)),
            else_=func.octet_length(cast(column, SqlText)),
        )
        for column in columns
    ]
    return reduce(add, sizes)


def _within(rows: Select[Any], order: Sequence[str], *large: str) -> Select[Any]:
    """Return `rows` with the column `fits`, and without the values in `large` of those that do not."""
    first = rows.subquery("first")
    by = [
        first.c[name.removeprefix("-")].desc() if name.startswith("-") else first.c[name].asc()
        for name in order
    ]
    size_so_far = func.sum(stored_size(*(first.c[name] for name in large))).over(order_by=by)
    fits = (func.row_number().over(order_by=by) == 1) | (size_so_far <= PAGE_BYTES)
    # Only the values of rows that fit leave the database.
    columns = [case((fits, each)).label(each.name) if each.name in large else each for each in first.c]
    return select(*columns, fits.label("fits")).order_by(*by)


async def _take(
    connection: AsyncConnection, statement: Select[Any], limit: int, values: Mapping[str, object]
) -> tuple[list[RowMapping], bool]:
    found = (await connection.execute(statement, values)).mappings().all()
    page = list(takewhile(itemgetter("fits"), found[:limit]))
    return page, len(page) < len(found)


async def read_within(
    connection: AsyncConnection, rows: Select[Any], order: Sequence[str], limit: int, *large: str
) -> tuple[list[RowMapping], bool]:
    """Return the first of `rows`, and whether there are more.

    Returns at most `limit` rows with at most PAGE_BYTES in the columns `large`; a larger first row comes
    alone. `rows` are sorted and limited to one more than `limit`; `order` names the sort columns, with `-`
    before descending ones.
    """
    return await _take(connection, _within(rows, order, *large), limit, {})


@lru_cache(maxsize=256)
def _statements(table: Table, shape: _Shape) -> tuple[Select[Any], Select[Any]]:
    """Return a page of a list of this shape, and the row where the walk for it ends.

    Building them takes as long as PostgreSQL takes to answer.
    """
    backwards = shape.backwards
    column = _sort_column(table, shape.sort)
    sorted_by = (literal(None, SqlText) if column is None else column).label("sorted_by")
    walk = select(table.c.id, sorted_by).where(*_conditions_of_the_walk(table, shape))
    if shape.continued:
        walk = walk.where(_after(table, column, backwards=backwards))
    walked = [table.c.id] if column is None else [column, table.c.id]
    walk = walk.order_by(*(each.desc() if backwards else each.asc() for each in walked))
    walk = walk.limit(bindparam("window", type_=Integer))
    examined = walk.add_columns(*(each for each in table.c if each.name != "id")).subquery("examined")
    names = ["id"] if column is None else ["sorted_by", "id"]
    matching = (
        select(examined)
        .where(*_other_conditions(examined, shape))
        .order_by(*(examined.c[name].desc() if backwards else examined.c[name].asc() for name in names))
        .limit(bindparam("most", type_=Integer))
    )
    order = [f"-{name}" if backwards else name for name in names]
    return _within(matching, order, "data"), walk.offset(bindparam("window_end", type_=Integer)).limit(1)


async def read_page(connection: AsyncConnection, table: Table, wanted: Wanted) -> Page:
    """Return a page of `table`. Raises a 422 problem for a cursor that this list did not issue."""
    at = from_cursor(wanted.cursor, _read_cursor)
    values = {
        "session_id": wanted.session_id,
        "kind": wanted.kind,
        "status": wanted.status,
        "collector": wanted.collector,
        "change": wanted.change,
        "search": None if wanted.search is None else _escaped(wanted.search),
    }
    given: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    if wanted.happened is not None:
        given |= wanted.happened.values
    new = wanted.happened is not None and wanted.happened.change is Life.NEW
    pending = wanted.status is Status.PENDING
    shape = _Shape(wanted.sort, frozenset(given), pending, wanted.changed, new=new, continued=at is not None)
    if at is not None:
        given |= {"known": at[0] or "", "row_id": at[1]}
    statement, end_of_walk = _statements(table, shape)
    bounds = {"window": WINDOW, "most": wanted.limit + 1}
    rows, more = await _take(connection, statement, wanted.limit, given | bounds)
    if more:
        return Page(rows, to_cursor(rows[-1]["sorted_by"], rows[-1]["id"]))
    end = (await connection.execute(end_of_walk, given | {"window_end": WINDOW - 1})).one_or_none()
    return Page(rows, None if end is None else to_cursor(end.sorted_by, end.id))


def _escaped(text: str) -> str:
    """Return `text` as a pattern of LIKE that matches nothing but it."""
    return "".join(f"{_ESCAPE}{each}" if each in {_ESCAPE, "%", "_"} else each for each in text)


async def read_some(connection: AsyncConnection, table: Table, ids: Sequence[int]) -> list[RowMapping]:
    """Return the rows of `ids` in the order of their ids, as many as fit a page."""
    rows, _ = await read_within(
        connection, select(table).where(table.c.id.in_(ids)).order_by(table.c.id), ["id"], len(ids), "data"
    )
    return rows
