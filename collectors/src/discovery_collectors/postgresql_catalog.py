"""Reads the tables of one PostgreSQL database from its catalog, by SQLAlchemy's reflection."""

import warnings
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope
from sqlalchemy.exc import CompileError, SAWarning

from discovery_collectors.database_report import MAX_TABLES

_RELATIONS = text(
    "SELECT n.nspname, c.relname, c.relkind::text, c.reltuples::bigint, c.relpages"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    # Ordinary, partitioned and foreign tables, views, materialized views; a partition is part of its table.
    " WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition"
    " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
    " ORDER BY n.nspname, c.relname LIMIT :limit"
)
_VIEWS = frozenset({"v", "m"})
_COUNTED = frozenset({"r", "m"})
"""A view has no rows of its own; statistics of partitioned and foreign tables are seldom there."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view. `rows` is the planner's estimate, None when the server has none."""

    schema: str
    name: str
    columns: list[str]
    types: dict[str, str]
    rows: int | None
    view: bool


def read_tables(connection: Connection) -> tuple[list[Table], bool]:
    """Return the database's tables and views by schema and name, and whether these are all.

    Reads the catalog only, which every login may, so tables whose rows are closed to it are among them.
    """
    found = connection.execute(_RELATIONS, {"limit": MAX_TABLES + 1}).all()
    tells_unknown = int(connection.execute(text("SHOW server_version_num")).scalar_one()) >= 140000
    by_schema: dict[str, dict[str, tuple[str, int | None]]] = defaultdict(dict)
    for schema, name, kind, rows, pages in found[:MAX_TABLES]:
        by_schema[schema][name] = (kind, estimated_rows(kind, rows, pages, tells_unknown=tells_unknown))
    tables = []
    for schema, relations in by_schema.items():
        columns = _read_columns(connection, schema)
        for name, (kind, estimate) in relations.items():
            own = columns.get(name, [])
            tables.append(
                Table(
                    schema=schema,
                    name=name,
                    columns=[column["name"] for column in own],
                    types={column["name"]: _type_name(connection, column) for column in own},
                    rows=estimate,
                    view=kind in _VIEWS,
                )
            )
    return tables, len(found) <= MAX_TABLES


def estimated_rows(kind: str, rows: int, pages: int, *, tells_unknown: bool) -> int | None:
    """Return `pg_class.reltuples` where it means something, else None.

    -1 says "never vacuumed or analyzed" since PostgreSQL 14 (`tells_unknown`); before, 0 rows on 0 pages
    may mean that too.
    """
    if kind not in _COUNTED or rows < 0 or (rows == 0 and pages == 0 and not tells_unknown):
        return None
    return rows


def _read_columns(connection: Connection, schema: str) -> dict[str, list[ReflectedColumn]]:
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is still a column with a name.
        warnings.simplefilter("ignore", SAWarning)
        reflected = inspect(connection).get_multi_columns(
            schema=schema, kind=ObjectKind.ANY, scope=ObjectScope.ANY
        )
    return {name: columns for (_, name), columns in reflected.items()}


def _type_name(connection: Connection, column: ReflectedColumn) -> str:
    try:
        return column["type"].compile(connection.dialect).lower()
    except CompileError:
        return "unknown"
