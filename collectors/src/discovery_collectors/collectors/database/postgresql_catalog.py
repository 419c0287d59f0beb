"""Reads the tables of one PostgreSQL database from its catalog, by SQLAlchemy's reflection."""

import warnings
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, String, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedForeignKeyConstraint
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope
from sqlalchemy.exc import CompileError, OperationalError, SAWarning

from discovery_collectors.collectors.database.service_report import MAX_TABLES, ForeignKey, Table
from discovery_collectors.running.bounds import more_than

_RELATIONS = (
    "SELECT n.nspname, c.relname, c.relkind::text, c.reltuples::bigint, c.relpages, {size},"
    " has_table_privilege(c.oid, 'SELECT')"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    # Ordinary, partitioned and foreign tables, views, materialized views; a partition is part of its table.
    " WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition"
    " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
    " ORDER BY n.nspname, c.relname LIMIT :limit"
)
_OWN_SIZE = "CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END"
_SIZE = (
    "CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) WHEN c.relkind = 'p' THEN"
    " (SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree(c.oid) WHERE isleaf) END"
)
"""`pg_partition_tree` came with PostgreSQL 12."""
_NO_SIZE = "NULL::bigint"
_VIEWS = frozenset({"v", "m"})
_COUNTED = frozenset({"r", "m"})
"""A view has no rows of its own; statistics of partitioned and foreign tables are seldom there."""
_SAMPLED = frozenset({"r", "p", "m"})
"""A view would be computed, and a foreign table read from another server."""


def read_tables(connection: Connection) -> tuple[list[Table], list[str]]:
    """Return the database's tables and views by schema and name, and warnings of what was left out.

    Reads the catalog only, which every login may, so tables whose rows are closed to it are among them.
    `connection` is in autocommit, so that a statement that fails leaves the next one alone.
    """
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    left_out: list[str] = []
    try:
        found = _read_relations(connection, _SIZE if version >= 120000 else _OWN_SIZE)
    except OperationalError as error:
        # To measure a table the server waits for whoever has it locked, or reads a directory for long.
        found = _read_relations(connection, _NO_SIZE)
        left_out.append(f"no size is reported: {' '.join(str(error.orig).split())[:200]}")
    if len(found) > MAX_TABLES:
        left_out.append(more_than(MAX_TABLES, "tables"))
    by_schema: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for schema, *relation in found[:MAX_TABLES]:
        by_schema[schema].append(tuple(relation))
    tables = []
    for schema, relations in by_schema.items():
        columns, keys = _read_columns(connection, schema)
        for name, kind, rows, pages, size, readable in relations:
            own = columns.get(name, [])
            tables.append(
                Table(
                    schema=schema,
                    name=name,
                    columns=[column["name"] for column in own],
                    types={column["name"]: _type_name(connection, column) for column in own},
                    rows=estimated_rows(kind, rows, pages, tells_unknown=version >= 140000),
                    view=kind in _VIEWS,
                    bytes=size,
                    foreign_keys=[_foreign_key(schema, key) for key in keys.get(name, [])],
                    texts=[
                        column["name"]
                        for column in own
                        if readable and kind in _SAMPLED and isinstance(column["type"], String)
                    ],
                )
            )
    return tables, left_out


def _read_relations(connection: Connection, size: str) -> list[tuple[Any, ...]]:
    rows = connection.execute(text(_RELATIONS.format(size=size)), {"limit": MAX_TABLES + 1})
    return [tuple(row) for row in rows]


def estimated_rows(kind: str, rows: int, pages: int, *, tells_unknown: bool) -> int | None:
    """Return `pg_class.reltuples` where it means something, else None.

    -1 says "never vacuumed or analyzed" since PostgreSQL 14 (`tells_unknown`); before, 0 rows on 0 pages
    may mean that too.
    """
    if kind not in _COUNTED or rows < 0 or (rows == 0 and pages == 0 and not tells_unknown):
        return None
    return rows


def _read_columns(
    connection: Connection, schema: str
) -> tuple[dict[str, list[ReflectedColumn]], dict[str, list[ReflectedForeignKeyConstraint]]]:
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is still a column with a name.
        warnings.simplefilter("ignore", SAWarning)
        inspector = inspect(connection)
        columns = inspector.get_multi_columns(schema=schema, kind=ObjectKind.ANY, scope=ObjectScope.ANY)
        keys = inspector.get_multi_foreign_keys(schema=schema, kind=ObjectKind.TABLE, scope=ObjectScope.ANY)
    return (
        {name: of for (_, name), of in columns.items()},
        {str(name): of for (_, name), of in keys.items()},
    )


def _foreign_key(schema: str, key: ReflectedForeignKeyConstraint) -> ForeignKey:
    return ForeignKey(
        tuple(key["constrained_columns"]),
        (key["referred_schema"] or schema, key["referred_table"]),
        tuple(key["referred_columns"]),
    )


def _type_name(connection: Connection, column: ReflectedColumn) -> str:
    try:
        return column["type"].compile(connection.dialect).lower()
    except CompileError:
        return "unknown"
