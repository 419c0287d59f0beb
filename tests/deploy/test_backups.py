"""deploy/backup and deploy/restore: everything or nothing, with no rights but the schema's owner's."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from answers import ask, rows, token_of, until_it_follows
from deployment import DEPLOY, Deployment, run, wait_for

pytestmark = pytest.mark.deploy


def test_a_backup_is_restored_completely_and_half_of_one_changes_nothing(
    deployment: Deployment, folder: Path
):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    rows(deployment, "CREATE TABLE gateway.mark AS SELECT 'before' AS what")
    kept = folder / "kept.dump"
    containers = {name: deployment.inspect(name)["Id"] for name in ("approval-api", "approval-delivery")}
    run(str(DEPLOY / "backup"), str(kept), *options)
    assert kept.stat().st_mode & 0o077 == 0
    rows(deployment, "UPDATE gateway.mark SET what = 'after'")
    half = folder / "half.dump"
    half.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    with pytest.raises(AssertionError, match="was not restored, the database is unchanged"):
        run(str(DEPLOY / "restore"), str(half), *options, seconds=180)
    assert rows(deployment, "SELECT what FROM gateway.mark") == "after"
    stopped = datetime.now(UTC).isoformat()
    run(str(DEPLOY / "restore"), str(kept), *options, seconds=180)
    assert rows(deployment, "SELECT what FROM gateway.mark") == "before"
    until_it_follows(deployment)
    for name, container in containers.items():
        again = deployment.inspect(name)
        assert (again["Id"], again["State"]["Health"]["Status"]) == (container, "healthy")
        assert again["State"]["StartedAt"] > stopped, "it wrote nothing meanwhile"
    assert ask(deployment, "/api/v1/dryrun/sessions", token_of(deployment)).status_code == httpx2.codes.OK
    rows(deployment, "DROP TABLE gateway.mark")


OLDER_SCHEMA = """
import asyncio, os, pathlib, sys
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from approval_api.database import migrations

def upgrade(connection):
    config = Config()
    config.set_main_option("script_location", str(pathlib.Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, sys.argv[1])

async def main():
    url = pathlib.Path(os.environ["APPROVAL_DATABASE_URL_FILE"]).read_text().strip()
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA gateway"))
        await connection.run_sync(upgrade)

asyncio.run(main())
"""


@pytest.mark.parametrize("revision", ["0001", "0011", "0017", "0025"])
def test_a_backup_of_an_older_release_is_restored_over_a_newer_schema_and_migrated(
    deployment: Deployment, folder: Path, revision: str
):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    current = folder / "current.dump"
    run(str(DEPLOY / "backup"), str(current), *options)
    newest = rows(deployment, "SELECT version_num FROM gateway.alembic_version")
    try:
        # The API is at work, and locks what it still finds by these names in another order than the drop.
        rows(deployment, "ALTER SCHEMA gateway RENAME TO aside")
        rows(deployment, "SET client_min_messages = warning; DROP SCHEMA aside CASCADE")
        program = ["--entrypoint", "python3", "migrate", "-c", OLDER_SCHEMA, revision]
        deployment.compose("run", "--rm", "--no-deps", "--no-TTY", *program)
        older = folder / "older.dump"
        run(str(DEPLOY / "backup"), str(older), *options)
    finally:
        run(str(DEPLOY / "restore"), str(current), *options, seconds=180)
    try:
        rows(deployment, "CREATE VIEW gateway.newer AS SELECT id FROM gateway.dryrun_sessions")
        run(str(DEPLOY / "restore"), str(older), *options, seconds=180)
        assert rows(deployment, "SELECT version_num FROM gateway.alembic_version") == newest
        assert rows(deployment, "SELECT to_regclass('gateway.newer') IS NULL") == "t"
        until_it_follows(deployment)
        assert ask(deployment, "/api/v1/dryrun/sessions", token_of(deployment)).status_code == httpx2.codes.OK
    finally:
        run(str(DEPLOY / "restore"), str(current), *options, seconds=180)


def test_a_backup_of_a_newer_release_is_restored_and_says_what_to_install(
    deployment: Deployment, folder: Path
):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    current = folder / "current.dump"
    run(str(DEPLOY / "backup"), str(current), *options)
    rows(deployment, "UPDATE gateway.alembic_version SET version_num = '9999'")
    newer = folder / "newer.dump"
    run(str(DEPLOY / "backup"), str(newer), *options)
    try:
        with pytest.raises(AssertionError, match="If a newer release made the file, install that one"):
            run(str(DEPLOY / "restore"), str(newer), *options, seconds=180)
        assert rows(deployment, "SELECT version_num FROM gateway.alembic_version") == "9999"
    finally:
        run(str(DEPLOY / "restore"), str(current), *options, seconds=180)
    # The failure stopped both, and the next restore started both.
    assert deployment.inspect("approval-delivery")["State"]["Health"]["Status"] == "healthy"
    until_it_follows(deployment)


def test_a_restore_leaves_the_api_as_the_operator_set_it_up(deployment: Deployment, folder: Path):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    more = folder / "more.yaml"
    more.write_text(
        "services: {approval-api: {environment: {APPROVAL_LOG_LEVEL: WARNING}}}", encoding="utf-8"
    )
    replace(deployment, files=("compose.yaml", str(more))).up("approval-api")
    try:
        before = deployment.inspect("approval-api")["Id"]
        run(str(DEPLOY / "backup"), str(folder / "more.dump"), *options)
        run(str(DEPLOY / "restore"), str(folder / "more.dump"), *options, seconds=180)
        assert deployment.inspect("approval-api")["Id"] == before
    finally:
        deployment.up("approval-api")
    until_it_follows(deployment)


TAKES_OVER = """
CREATE FUNCTION gateway.taken(integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN EXECUTE $q$COPY (SELECT 1) TO PROGRAM 'touch /tmp/taken'$q$; RETURN true; END $$;
CREATE TABLE gateway.trap (a integer CHECK (gateway.taken(a)));
INSERT INTO gateway.trap VALUES (1);
ALTER FUNCTION gateway.taken OWNER TO owner;
ALTER TABLE gateway.trap OWNER TO owner
"""
"""A table whose rows, when they are put back, run a program as whoever puts them back."""


def test_a_backup_is_trusted_no_further_than_the_owner_of_the_schema(deployment: Deployment, folder: Path):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    rows(deployment, TAKES_OVER, "postgres")
    hostile = folder / "hostile.dump"
    run(str(DEPLOY / "backup"), str(hostile), *options)
    rows(deployment, "DROP TABLE gateway.trap; DROP FUNCTION gateway.taken")
    deployment.inside("postgres", "rm", "/tmp/taken")
    rows(deployment, "CREATE TABLE gateway.mark AS SELECT 'before' AS what")
    with pytest.raises(AssertionError, match="permission denied") as refused:
        run(str(DEPLOY / "restore"), str(hostile), *options, seconds=180)
    assert "the database is unchanged" in str(refused.value)
    assert deployment.inside("postgres", "sh", "-c", "ls /tmp/taken 2>/dev/null || echo nothing") == "nothing"
    assert rows(deployment, "SELECT what FROM gateway.mark") == "before"
    rows(deployment, "DROP TABLE gateway.mark")
    until_it_follows(deployment)


@pytest.fixture
def marked(deployment: Deployment, folder: Path) -> Iterator[tuple[str, ...]]:
    """A table that no backup has, and is there at the end; yield the options of deploy/restore."""
    rows(deployment, "CREATE TABLE gateway.mark AS SELECT 'kept' AS what")
    yield "--project-name", deployment.project, "--env-file", str(deployment.env_file)
    assert rows(deployment, "SELECT what FROM gateway.mark") == "kept"
    rows(deployment, "DROP TABLE gateway.mark")
    until_it_follows(deployment)


def dump(deployment: Deployment, file: Path, database: str, *options: str) -> None:
    """Write a dump to a file, as the owner of the schema."""
    dumping = ["pg_dump", "--host=/run/postgresql", "--username=owner", "--format=custom", *options, database]
    container = deployment.inspect("postgres")["Id"]
    with file.open("wb") as output:
        subprocess.run(["docker", "exec", container, *dumping], stdout=output, timeout=60, check=True)


@pytest.mark.parametrize("lacks", ["every table", "every row"])
def test_no_file_is_restored_that_lacks_the_schema_s_version(
    deployment: Deployment, folder: Path, marked: tuple[str, ...], lacks: str
):
    foreign = folder / "foreign.dump"
    if lacks == "every table":
        rows(deployment, "CREATE DATABASE foreign_one OWNER owner", "postgres")
        dump(deployment, foreign, "foreign_one")
        rows(deployment, "DROP DATABASE foreign_one", "postgres")
    else:
        dump(deployment, foreign, "dryrun", "--schema-only")
    with pytest.raises(AssertionError, match="the file is no backup of this system") as refused:
        run(str(DEPLOY / "restore"), str(foreign), *marked, seconds=180)
    assert "the database is unchanged" in str(refused.value)


def test_a_file_that_takes_the_end_of_its_transaction_for_data_is_not_called_restored(
    deployment: Deployment, folder: Path, marked: tuple[str, ...]
):
    # Among the last commands of a dump; the same length, since the format counts it.
    rows(
        deployment, "CREATE TABLE gateway.zzz (a text); GRANT DELETE, TRUNCATE ON gateway.zzz TO approval_app"
    )
    hostile = folder / "swallows.dump"
    dump(deployment, hostile, "dryrun")
    rows(deployment, "DROP TABLE gateway.zzz")
    last = b"GRANT DELETE,TRUNCATE ON TABLE gateway.zzz TO approval_app;"
    content = hostile.read_bytes()
    assert content.count(last) == 1
    hostile.write_bytes(content.replace(last, b"COPY gateway.zzz FROM stdin;".ljust(len(last))))
    with pytest.raises(AssertionError, match="was not restored, the database is unchanged"):
        run(str(DEPLOY / "restore"), str(hostile), *marked, seconds=180)


SLOW = """
CREATE FUNCTION gateway.slow(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE TABLE gateway.slowly (a integer CHECK (gateway.slow(a)));
INSERT INTO gateway.slowly VALUES (1);
CREATE OR REPLACE FUNCTION gateway.slow(integer) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(30); RETURN true; END'
"""
"""A table whose rows take their time when they are put back."""


def test_a_restore_that_is_killed_changes_nothing_and_starts_the_api_again(
    deployment: Deployment, folder: Path, marked: tuple[str, ...]
):
    rows(deployment, SLOW)
    slow = folder / "slow.dump"
    dump(deployment, slow, "dryrun")
    rows(deployment, "DROP TABLE gateway.slowly; DROP FUNCTION gateway.slow")
    restoring = subprocess.Popen(
        [str(DEPLOY / "restore"), str(slow), *marked], stderr=subprocess.PIPE, text=True
    )
    copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY gateway.slowly %'"
    wait_for(lambda: rows(deployment, copying, "postgres") == "1", 60, "it restores")
    restoring.terminate()
    said = restoring.communicate(timeout=25)[1]
    assert restoring.returncode == 1
    assert "was not restored, the database is unchanged" in said
    assert rows(deployment, copying, "postgres") == "0"
    assert deployment.inspect("approval-api")["State"]["Health"]["Status"] == "healthy"
