"""Seeds of the plan in the two dialects of SQL."""

# ruff: noqa: S608  nothing but our own plan gets in, and names are quoted

from collections.abc import Iterator
from itertools import pairwise

from estate import Columns, Database, Estate, Schema, Table

_POSTGRESQL_TYPES = {
    "int": "integer",
    "text": "text",
    "date": "date",
    "time": "timestamptz",
    "money": "numeric(10, 2)",
    "bool": "boolean",
}
_POSTGRESQL_VALUES = {
    "int": "n",
    "text": "'{canary} ' || n",
    "date": "date '2025-01-01' + n % 365",
    "time": "timestamptz '2025-01-01 06:00Z' + n * interval '5 minutes'",
    "money": "n * 7.25 % 90000",
    "bool": "n % 3 = 0",
}
_MARIADB_TYPES = {
    "int": "int",
    "text": "varchar(80)",
    "date": "date",
    "time": "datetime",
    "money": "decimal(10, 2)",
    "bool": "boolean",
}
_MARIADB_VALUES = {
    "int": "seq",
    "text": "CONCAT('{canary} ', seq)",
    "date": "DATE '2025-01-01' + INTERVAL seq MOD 365 DAY",
    "time": "TIMESTAMP '2025-01-01 06:00:00' + INTERVAL seq * 5 MINUTE",
    "money": "seq * 7.25 MOD 90000",
    "bool": "seq MOD 3 = 0",
}
_MONTHS = [f"2025-{month:02}-01" for month in range(1, 13)] + ["2026-01-01"]
HEADING = "-- Written by ../large-databases/write.py; change the plan there."


def postgresql(estate: Estate, login: str, password: str) -> Iterator[str]:
    """Yield the statements for psql, which changes databases by \\connect."""
    yield HEADING
    yield f"CREATE ROLE {login} LOGIN PASSWORD '{password}';"
    yield "CREATE ROLE harbour_owner NOLOGIN;"
    yield f"CREATE ROLE reporting LOGIN PASSWORD '{estate.canary}';"
    for database in estate.databases:
        if database.system:
            continue
        name = _quoted(database.name, '"')
        yield f"CREATE DATABASE {name} OWNER harbour_owner;"
        if database.closed:
            yield f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;"
        yield f"\\connect {name}"
        yield "BEGIN;"
        for schema in database.schemas:
            yield from _postgresql_schema(schema, estate.canary)
            # Half of the schemas can be read, of the others only the structure stands in the catalog.
            if len(schema.name) % 2 == 0:
                yield f"GRANT USAGE ON SCHEMA {_quoted(schema.name, '"')} TO {login};"
        yield "COMMIT;"


def _postgresql_schema(schema: Schema, canary: str) -> Iterator[str]:
    name = _quoted(schema.name, '"')
    yield f"CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION harbour_owner;"
    yield f"SET search_path = {name};"
    for table in schema.tables:
        place = _quoted(table.name, '"')
        if table.kind == "view":
            yield f"CREATE VIEW {place} AS SELECT {_names(table.columns, '"')} FROM {table.of};"
            continue
        columns = _columns(table, '"', _POSTGRESQL_TYPES)
        if table.kind == "partitioned":
            yield f"CREATE TABLE {place} ({columns}) PARTITION BY RANGE (measured_on);"
            for begin, end in pairwise(_MONTHS):
                part = _quoted(f"{table.name}_{begin[:7]}", '"')
                yield f"CREATE TABLE {part} PARTITION OF {place} FOR VALUES FROM ('{begin}') TO ('{end}');"
        else:
            yield f"CREATE TABLE {place} ({columns});"
        values = _values(table.columns, _POSTGRESQL_VALUES, canary)
        yield f"INSERT INTO {place} SELECT {values} FROM generate_series(1, {table.rows}) AS n;"


def mariadb(estate: Estate, login: str, password: str) -> Iterator[str]:
    """Yield the statements for the `mariadb` client."""
    yield HEADING
    yield "SET NAMES utf8mb4;"
    yield f"CREATE USER {login} IDENTIFIED BY '{password}';"
    yield f"CREATE USER reporting IDENTIFIED BY '{estate.canary}';"
    for place, database in enumerate(estate.databases):
        name = _quoted(database.name, "`")
        yield f"CREATE DATABASE {name} CHARACTER SET utf8mb4;"
        # Every other database can be read, of the others only the structure stands in the catalog.
        rights = "SELECT, SHOW VIEW" if place % 2 == 0 else "REFERENCES"
        yield f"GRANT {rights} ON {name}.* TO {login};"
        yield f"USE {name};"
        yield from _mariadb_tables(database, estate.canary)


def _mariadb_tables(database: Database, canary: str) -> Iterator[str]:
    for _, table in database.tables():
        place = _quoted(table.name, "`")
        if table.kind == "view":
            yield f"CREATE VIEW {place} AS SELECT {_names(table.columns, '`')} FROM {table.of};"
            continue
        columns, parts = _columns(table, "`", _MARIADB_TYPES), ""
        if table.kind == "partitioned":
            ranges = [f"PARTITION p{end[:4]}{end[5:7]} VALUES LESS THAN ('{end}')" for end in _MONTHS[1:]]
            columns = columns.replace("PRIMARY KEY (`id`)", "PRIMARY KEY (`id`, `measured_on`)")
            parts = f" PARTITION BY RANGE COLUMNS (measured_on) ({', '.join(ranges)})"
        yield f"CREATE TABLE {place} ({columns}){parts};"
        values = _values(table.columns, _MARIADB_VALUES, canary)
        yield f"INSERT INTO {place} SELECT {values} FROM seq_1_to_{table.rows};"


def _columns(table: Table, quote: str, types: dict[str, str]) -> str:
    first = _quoted(next(iter(table.columns)), quote)
    parts = [f"{_quoted(name, quote)} {types[kind]} NOT NULL" for name, kind in table.columns.items()]
    # PostgreSQL wants the partition's column in the key; a partitioned table goes without one there.
    if table.kind != "partitioned" or quote == "`":
        parts.append(f"PRIMARY KEY ({first})")
    if table.reference is not None:
        column, other = table.reference
        parts.append(f"FOREIGN KEY ({_quoted(column, quote)}) REFERENCES {other} (id)")
    return ", ".join(parts)


def _names(columns: Columns, quote: str) -> str:
    return ", ".join(_quoted(name, quote) for name in columns)


def _values(columns: Columns, values: dict[str, str], canary: str) -> str:
    return ", ".join(values[kind].format(canary=canary) for kind in columns.values())


def _quoted(name: str, quote: str) -> str:
    text = quote + name.replace(quote, quote * 2) + quote
    if text.isprintable():
        return text
    # PostgreSQL's spelling of what cannot be seen; psql's own commands do not know it.
    escaped = "".join(one if one.isprintable() else f"\\{ord(one):04x}" for one in text.replace("\\", r"\\"))
    return f"U&{escaped}"
