"""The statements are run by SQLite, on tables of the names and columns that MySQL's catalog has."""

import pytest
from sqlalchemy import StaticPool, create_engine, text

from discovery_collectors.collectors.database import mysql_catalog
from discovery_collectors.collectors.database.mysql_catalog import read_tables

CATALOG = """
CREATE TABLE information_schema.tables
    (table_schema, table_name, table_type, table_rows, data_length, index_length);
CREATE TABLE information_schema.columns
    (table_schema, table_name, column_name, column_type, privileges, data_type, ordinal_position);
CREATE TABLE information_schema.key_column_usage (constraint_name, table_schema, table_name, column_name,
    referenced_table_schema, referenced_table_name, referenced_column_name, ordinal_position);
"""


@pytest.fixture
def connection():
    """Three tables of three columns each, each with a foreign key to `a`."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as connection:
        connection.execute(text("ATTACH ':memory:' AS information_schema"))
        for statement in filter(str.strip, CATALOG.split(";")):
            connection.execute(text(statement))
        for table in "abc":
            connection.execute(
                text(f"INSERT INTO information_schema.tables VALUES ('s', '{table}', 'BASE TABLE', 1, 1, 1)")
            )
            connection.execute(
                text(
                    "INSERT INTO information_schema.key_column_usage"
                    f" VALUES ('k', 's', '{table}', 'x1', 's', 'a', 'x1', 1)"
                )
            )
            for number in (1, 2, 3):
                connection.execute(
                    text(
                        "INSERT INTO information_schema.columns"
                        f" VALUES ('s', '{table}', 'x{number}', 'int', 'select', 'int', {number})"
                    )
                )
        yield connection
    engine.dispose()


@pytest.fixture
def rows(monkeypatch):
    return lambda number: monkeypatch.setattr(mysql_catalog, "_ROWS", number)


def test_a_catalog_within_the_bounds_has_nothing_left_out(connection, rows):
    rows(9)
    tables, left_out = read_tables(connection, "s")
    assert left_out == []
    assert [(each.name, each.columns, each.more_columns) for each in tables] == [
        (name, ["x1", "x2", "x3"], False) for name in "abc"
    ]


def test_a_table_whose_columns_were_not_read_is_not_one_without_columns(connection, rows):
    rows(5)
    tables, left_out = read_tables(connection, "s")
    assert left_out == ["more than 5 columns; the first 5 are reported"]
    assert [(each.columns, each.more_columns) for each in tables] == [
        (["x1", "x2", "x3"], False),
        (["x1", "x2"], True),
        (None, False),
    ]


def test_columns_that_end_with_a_table_leave_none_of_it_out(connection, rows):
    rows(6)
    tables, _ = read_tables(connection, "s")
    assert [(each.columns and len(each.columns), each.more_columns) for each in tables] == [
        (3, False),
        (3, False),
        (None, False),
    ]


def test_foreign_keys_and_tables_that_are_left_out_are_said(connection, rows, monkeypatch):
    rows(2)
    monkeypatch.setattr(mysql_catalog, "MAX_TABLES", 1)
    tables, left_out = read_tables(connection, "s")
    assert len(tables) == 1
    assert left_out[1:] == [
        "more than 2 columns of foreign keys; the first 2 are reported",
        "more than 1 tables; the first 1 are reported",
    ]
