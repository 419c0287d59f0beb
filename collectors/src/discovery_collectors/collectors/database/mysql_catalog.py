"""Reads databases and tables of MariaDB and MySQL from information_schema.

SQLAlchemy's own reflection asks `SHOW CREATE TABLE` once per table: hundreds of statements where three do,
refused for tables whose rows are closed to the login, and answered with default values and partition bounds.
"""

from collections import defaultdict

from sqlalchemy import Connection, text

from discovery_collectors.collectors.database.service_report import (
    MAX_DATABASES,
    MAX_TABLES,
    ForeignKey,
    Table,
)
from discovery_collectors.running.bounds import more_than

_SYSTEM = "('information_schema', 'performance_schema', 'mysql', 'sys')"
_DATABASES = text(
    "SELECT schema_name FROM information_schema.schemata"  # noqa: S608  # a constant
    f" WHERE LOWER(schema_name) NOT IN {_SYSTEM} ORDER BY schema_name LIMIT :limit"
)
_TABLES = text(
    "SELECT table_name, table_type, table_rows, data_length + index_length FROM information_schema.tables"
    # Sequences of MariaDB are tables by name only.
    " WHERE table_schema = :schema AND table_type <> 'SEQUENCE' ORDER BY table_name LIMIT :limit"
)
_COLUMNS = text(
    "SELECT table_name, column_name, column_type, privileges, data_type FROM information_schema.columns"
    " WHERE table_schema = :schema ORDER BY table_name, ordinal_position LIMIT :limit"
)
_KEYS = text(
    "SELECT constraint_name, table_name, column_name,"
    " referenced_table_schema, referenced_table_name, referenced_column_name"
    " FROM information_schema.key_column_usage"
    " WHERE table_schema = :schema AND referenced_table_name IS NOT NULL"
    " ORDER BY table_name, constraint_name, ordinal_position LIMIT :limit"
)
_ROWS = 100_000
"""The most that is read of columns, or of the columns of foreign keys, of one database."""
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})


def read_databases(connection: Connection) -> list[str]:
    """Return the names of the databases this login sees; one more than are reported, if there are more."""
    return [str(row[0]) for row in connection.execute(_DATABASES, {"limit": MAX_DATABASES + 1})]


def read_tables(connection: Connection, schema: str) -> tuple[list[Table], list[str]]:
    """Return a database's tables and views by name, and warnings of what was left out."""
    asked = {"schema": schema, "limit": _ROWS + 1}
    left_out: list[str] = []
    columns: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    listed = connection.execute(_COLUMNS, asked).all()
    for table, name, kind, privileges, data_type in listed[:_ROWS]:
        readable = "select" in str(privileges).split(",") and data_type in _TEXTS
        columns[table].append((str(name), str(kind), readable))
    # By table: that of the first row left out may have others; tables after it have none here.
    unfinished = listed[_ROWS][0] if len(listed) > _ROWS else None
    if unfinished is not None:
        left_out.append(more_than(_ROWS, "columns"))
    keys: dict[str, dict[str, list[tuple[str, str, str, str]]]] = defaultdict(lambda: defaultdict(list))
    referring = connection.execute(_KEYS, asked).all()
    for constraint, table, column, *there in referring[:_ROWS]:
        keys[table][constraint].append((str(column), str(there[0]), str(there[1]), str(there[2])))
    if len(referring) > _ROWS:
        left_out.append(more_than(_ROWS, "columns of foreign keys"))
    found = connection.execute(_TABLES, asked | {"limit": MAX_TABLES + 1}).all()
    if len(found) > MAX_TABLES:
        left_out.append(more_than(MAX_TABLES, "tables"))
    tables = []
    for name, kind, rows, size in found[:MAX_TABLES]:
        own = columns.get(name, [])
        view = "VIEW" in kind
        tables.append(
            Table(
                schema=schema,
                name=name,
                columns=[column for column, _, _ in own] if own else None,
                more_columns=bool(own) and name == unfinished,
                types={column: shape for column, shape, _ in own},
                rows=None if view or rows is None else int(rows),
                bytes=None if view or size is None else int(size),
                view=view,
                foreign_keys=[_foreign_key(parts) for parts in keys.get(name, {}).values()],
                # To read a view means to compute it.
                texts=[] if view else [column for column, _, readable in own if readable],
            )
        )
    return tables, left_out


def _foreign_key(parts: list[tuple[str, str, str, str]]) -> ForeignKey:
    columns, schemas, tables, referenced = zip(*parts, strict=True)
    return ForeignKey(columns, (schemas[0], tables[0]), referenced)
