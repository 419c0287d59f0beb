import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from approval_api.database import engine as pools
from approval_api.database import migration, migrations
from approval_api.database.engine import APP_ROLE, create_engine, create_owner_engine
from approval_api.database.migration import (
    DatabaseRefusedError,
    DatabaseUnreachableError,
    MigrationRefusedError,
    migrate,
    migrate_when_reachable,
)
from approval_api.database.tables import metadata

SESSION = """
INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, phase)
VALUES ('7c9e6679-7425-40de-944b-e07fc1f90ae7', 'small', 'sha256:1', 0, false, 'ada', 'requested')
"""
DRYRUN_COLUMNS = "dryrun_session_id, collector, run, line, kind, key, data, confidence, found_at"
DRYRUN_VALUES = (
    "'7c9e6679-7425-40de-944b-e07fc1f90ae7', 'network', '1', 1, 'host', '10.0.0.1', '{}', 1, now()"
)


@pytest.fixture
def revisions():
    config = Config()
    config.set_main_option("script_location", next(iter(migrations.__path__)))
    return ScriptDirectory.from_config(config)


def test_the_known_head_is_the_newest_revision(revisions):
    assert revisions.get_heads() == [migrations.HEAD]


def test_no_revision_goes_back(revisions):
    """Who goes back restores the backup that upgrading made: nothing would run a downgrade, or test it."""
    every = list(revisions.walk_revisions())
    assert len(every) == int(migrations.HEAD)
    assert [each.revision for each in every if hasattr(each.module, "downgrade")] == []


async def test_a_migrated_database_has_the_columns_that_queries_use(engine):
    def differences(connection):
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == "gateway",
                "include_object": lambda _object, _name, kind, _reflected, _other: (
                    kind in {"table", "column"}
                ),
                "version_table_schema": "gateway",
                "compare_server_default": False,
            },
        )
        return compare_metadata(context, metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_processes_that_start_together_migrate_once(postgres):
    name = "migrated_by_many"
    await asyncio.to_thread(postgres.execute, "postgres", f"CREATE DATABASE {name}")
    engines = [create_engine(postgres.url(name)) for _ in range(4)]
    worked = await asyncio.gather(*(migrate(engine) for engine in engines))
    assert sorted(worked) == [False, False, False, True]
    for engine in engines:
        await engine.dispose()


@pytest.fixture
def slow_migration(monkeypatch):
    upgrade = migration._upgrade

    def slowly(connection):
        connection.execute(text("SELECT pg_sleep(2)"))
        upgrade(connection)

    monkeypatch.setattr(migration, "_upgrade", slowly)


@pytest.mark.usefixtures("slow_migration")
async def test_a_migration_may_take_longer_than_a_database_is_waited_for(postgres):
    name = "migrated_slowly"
    await asyncio.to_thread(postgres.execute, "postgres", f"CREATE DATABASE {name}")
    engines = [create_owner_engine(postgres.url(name)) for _ in range(2)]
    worked = await asyncio.gather(*(migrate_when_reachable(each, wait_seconds=0.5) for each in engines))
    assert sorted(worked) == [False, True]
    for engine in engines:
        await engine.dispose()


@pytest.mark.usefixtures("slow_migration")
async def test_a_statement_of_a_migration_may_take_longer_than_another_one(postgres, monkeypatch):
    monkeypatch.setattr(pools, "STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr(pools, "CLIENT_LATER_SECONDS", 0.5)
    name = "migrated_by_a_slow_statement"
    await asyncio.to_thread(postgres.execute, "postgres", f"CREATE DATABASE {name}")
    engine = create_owner_engine(postgres.url(name))
    assert await migrate_when_reachable(engine, wait_seconds=5)
    await engine.dispose()


async def test_a_database_that_stays_away_is_an_error_that_says_what_to_check(tmp_path):
    engine = create_engine(f"postgresql+asyncpg://postgres@/nothing?host={tmp_path}")
    with pytest.raises(DatabaseUnreachableError, match="APPROVAL_DATABASE_URL"):
        await migrate_when_reachable(engine, wait_seconds=0.6)
    await engine.dispose()


async def test_a_database_that_does_not_exist_is_not_waited_for(postgres):
    engine = create_engine(postgres.url("no_such_database"))
    with pytest.raises(DatabaseRefusedError, match=r"no_such_database.*APPROVAL_DATABASE_URL"):
        await migrate_when_reachable(engine, wait_seconds=5)
    await engine.dispose()


async def test_roles_that_this_user_may_not_create_are_named_one_by_one_with_the_statement(postgres):
    """Roles belong to the cluster: those that are there step aside."""
    roles = {"production_reader": "NOLOGIN", "approval_app": "LOGIN", "approval_delivery": "LOGIN"}

    def rename(old: str, new: str) -> None:
        postgres.execute("postgres", *(f"ALTER ROLE {role}{old} RENAME TO {role}{new}" for role in roles))

    await asyncio.to_thread(
        postgres.execute,
        "postgres",
        "CREATE ROLE schemas_owner LOGIN",
        "CREATE DATABASE own OWNER schemas_owner",
    )
    engine = create_engine(postgres.url("own").replace("postgres@", "schemas_owner@"))
    await asyncio.to_thread(rename, "", "_aside")
    try:
        for role, login in roles.items():
            wanted = f"CREATE ROLE {role} {login}"
            with pytest.raises(DatabaseRefusedError, match=f"administrator of the server run: {wanted};"):
                await migrate_when_reachable(engine, wait_seconds=5)
            await asyncio.to_thread(postgres.execute, "postgres", wanted)
        assert await migrate_when_reachable(engine, wait_seconds=5)
    finally:
        await engine.dispose()
        made = [f"DROP ROLE IF EXISTS {role}" for role in roles]
        await asyncio.to_thread(postgres.execute, "postgres", "DROP DATABASE own WITH (FORCE)", *made)
        await asyncio.to_thread(rename, "_aside", "")


async def test_production_refuses_a_dryrun_row(engine):
    with pytest.raises(IntegrityError, match="production_only"):
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO gateway.discoveries (is_dryrun, collector, kind, key, data, confidence) "
                    "VALUES (true, 'network', 'host', '10.0.0.1', '{}', 1)"
                )
            )


async def test_the_dryrun_table_refuses_a_row_that_does_not_say_what_it_is(engine):
    async with engine.begin() as connection:
        await connection.execute(text(SESSION))
    with pytest.raises(IntegrityError, match="dryrun_only"):
        async with engine.begin() as connection:
            await connection.execute(
                text(f"INSERT INTO gateway.dryrun_discoveries ({DRYRUN_COLUMNS}) VALUES ({DRYRUN_VALUES})")
            )
    async with engine.begin() as connection:
        await connection.execute(
            text(
                f"INSERT INTO gateway.dryrun_discoveries (is_dryrun, {DRYRUN_COLUMNS}) "
                f"VALUES (true, {DRYRUN_VALUES})"
            )
        )


@pytest.fixture
async def production_reader(engine):
    """A connection with the rights of reports and transmitters."""
    async with engine.connect() as connection:
        await connection.execute(text("SET ROLE production_reader"))
        yield connection
        await connection.invalidate()


@pytest.mark.parametrize("table", ["dryrun_discoveries", "dryrun_sessions", "dryrun_events"])
async def test_the_production_reader_is_refused_dryrun_tables(production_reader, table):
    with pytest.raises(DBAPIError, match=f"permission denied for table {table}"):
        await production_reader.execute(text(f"SELECT * FROM gateway.{table}"))


async def test_the_production_reader_reads_production_and_changes_nothing(production_reader):
    assert (await production_reader.execute(text("SELECT * FROM gateway.discoveries"))).all() == []
    with pytest.raises(DBAPIError, match="permission denied for table discoveries"):
        await production_reader.execute(text("DELETE FROM gateway.discoveries"))


@pytest.fixture
async def application(database_url, engine):
    """The engine as the running service has it."""
    application = create_engine(database_url, role=APP_ROLE)
    yield application
    await application.dispose()


AUDITED = "INSERT INTO gateway.audit_log (action, outcome) VALUES ('sign_in', 'done')"


async def test_the_application_adds_to_the_audit_log_and_reads_it(application):
    async with application.begin() as connection:
        await connection.execute(text(AUDITED))
        assert await connection.scalar(text("SELECT count(*) FROM gateway.audit_log")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE gateway.audit_log SET actor = 'eve'",
        "DELETE FROM gateway.audit_log",
        "TRUNCATE gateway.audit_log",
        "DROP TABLE gateway.audit_log",
        "ALTER TABLE gateway.audit_log ADD COLUMN x int",
        """INSERT INTO gateway.audit_log (id, action, outcome) OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'done')
        ON CONFLICT (id) DO UPDATE SET actor = 'eve'""",
    ],
)
async def test_the_application_cannot_change_the_audit_log(application, statement):
    async with application.begin() as connection:
        await connection.execute(text(AUDITED))
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        async with application.begin() as connection:
            await connection.execute(text(statement))


async def test_the_application_reaches_every_table_but_changes_no_schema(application):
    async with application.connect() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(text(f"SELECT * FROM {table.fullname} LIMIT 1"))
    with pytest.raises(DBAPIError, match="permission denied"):
        async with application.begin() as connection:
            await connection.execute(text("CREATE TABLE gateway.x (y int)"))


async def test_a_role_that_may_not_migrate_gets_an_error_that_says_what_to_do(postgres):
    name = "migrated_by_nobody"
    await asyncio.to_thread(postgres.execute, "postgres", f"CREATE DATABASE {name}")
    engine = create_engine(postgres.url(name), role=APP_ROLE)
    with pytest.raises(MigrationRefusedError, match="APPROVAL_MIGRATION_DATABASE_URL"):
        await migrate(engine)
    await engine.dispose()


async def test_a_sessions_events_and_discoveries_go_with_it(engine):
    async with engine.begin() as connection:
        await connection.execute(text(SESSION))
        await connection.execute(
            text(
                f"INSERT INTO gateway.dryrun_discoveries (is_dryrun, {DRYRUN_COLUMNS}) "
                f"VALUES (true, {DRYRUN_VALUES})"
            )
        )
        await connection.execute(text("DELETE FROM gateway.dryrun_sessions"))
        assert await connection.scalar(text("SELECT count(*) FROM gateway.dryrun_discoveries")) == 0
