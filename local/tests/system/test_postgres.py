import os

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from dryrun_local.machine.errors import LocalError, ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.postgres import running_postgres


@pytest.fixture
def installation(tmp_path) -> Installation:
    installation = Installation(tmp_path, tmp_path / "state")
    installation.prepare()
    return installation


async def query(url: str, statement: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.scalar(text(statement))
    finally:
        await engine.dispose()


async def test_the_embedded_postgresql_keeps_its_data_and_listens_on_no_network(installation):
    async with running_postgres(installation, os.environ) as url:
        await query(url, "SELECT lo_create(4711)")
        assert await query(url, "SHOW listen_addresses") == ""
        assert await query(url, "SHOW fsync") == "on"
        assert await query(url, "SELECT current_database()") == "dryrun"
    async with running_postgres(installation, os.environ) as url:
        assert await query(url, "SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 4711") == 1


async def test_a_stale_pid_file_does_not_stop_the_database(installation):
    async with running_postgres(installation, os.environ):
        pass
    # What a crash leaves, with a number that is another program's by now.
    lines = [str(os.getpid()), str(installation.state / "postgres"), "1", "5432", "", "", "", "ready"]
    (installation.state / "postgres" / "postmaster.pid").write_text("\n".join(lines))
    async with running_postgres(installation, os.environ) as url:
        assert await query(url, "SELECT 1") == 1


async def test_damaged_files_are_an_error_with_the_log_and_the_command_to_run(installation):
    async with running_postgres(installation, os.environ):
        pass
    control = installation.state / "postgres" / "global" / "pg_control"
    control.write_bytes(bytes(control.stat().st_size))
    with pytest.raises(ServiceDiedError, match=r"(?s)(?:PANIC|FATAL).*`dryrun-local reset` removes them"):
        async with running_postgres(installation, os.environ):
            pass


async def test_refuses_data_of_another_version_with_the_command_to_run(installation):
    data = installation.state / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(LocalError, match=r"written by PostgreSQL 12.*reset"):
        async with running_postgres(installation, {}):
            pass


async def test_a_path_too_long_for_a_socket_works(tmp_path):
    state = tmp_path / ("long" * 30) / "state"
    state.parent.mkdir()
    installation = Installation(tmp_path, state)
    installation.prepare()
    async with running_postgres(installation, os.environ) as url:
        assert await query(url, "SELECT 1") == 1
