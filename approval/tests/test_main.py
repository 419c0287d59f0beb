"""The commands as processes, since signals and exit codes are theirs."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager

import httpx2
import pytest
from sqlalchemy import text

from approval_api.database.migrations import HEAD
from approval_api.identity.roles import Role
from approval_api.people import bootstrap

COMMAND = (sys.executable, "-c", "from approval_api.main import main; main()")
AUTHORIZATION = {"Authorization": "Bearer 0123456789abcdef"}


def environment(**variables):
    return {"PATH": os.environ["PATH"], **{f"APPROVAL_{name}": value for name, value in variables.items()}}


async def run(*arguments, **variables):
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env=environment(**variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_wrong_settings_end_with_2_and_name_the_variables():
    code, _, err = await run("serve", TOKENS="x")
    assert code == 2
    assert "APPROVAL_DATABASE_URL" in err
    assert "APPROVAL_TOKENS" in err


async def test_migrate_makes_the_schema_and_does_nothing_the_second_time(postgres):
    await asyncio.to_thread(postgres.execute, "postgres", "CREATE DATABASE by_command")
    url = postgres.url("by_command")
    code, out, _ = await run("migrate", DATABASE_URL=url)
    assert code == 0
    assert "migrated the database" in out
    assert await run("migrate", DATABASE_URL=url) == (0, "", "")


@pytest.mark.parametrize("command", ["migrate", "invite", "serve"])
async def test_a_newer_schema_is_named_in_a_sentence_and_left_alone(database_url, engine, command):
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.alembic_version SET version_num = '9026'"))
    try:
        arguments = ("invite", "root") if command == "invite" else (command,)
        code, out, err = await run(*arguments, DATABASE_URL=database_url, DRYRUN="off", LISTEN="127.0.0.1:0")
        async with engine.begin() as connection:
            stored = await connection.scalar(text("SELECT version_num FROM gateway.alembic_version"))
    finally:
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE gateway.alembic_version SET version_num = :head"), {"head": HEAD}
            )

    assert code == (3 if command == "serve" else 1)
    assert "schema is at revision 9026" in out + err
    assert "restore a backup" in out + err
    assert "Traceback" not in out + err
    assert stored == "9026"


async def test_invite_prints_a_link_and_first_prints_none_once_an_administrator_has_a_password(
    database_url, engine
):
    arguments = ("invite", "root", "--first", "--url", "https://approval.example/")
    code, out, _ = await run(*arguments, DATABASE_URL=database_url)
    assert code == 0
    assert out.startswith("https://approval.example/invitation?secret=")
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.people SET password_hash = 'x'"))
    code, out, err = await run(*arguments, DATABASE_URL=database_url)
    assert (code, out) == (0, "")
    assert err.startswith("approval-api: no link: an administrator can sign in already")
    code, out, _ = await run("invite", "zoe", "--roles", "viewer,approver", DATABASE_URL=database_url)
    assert (code, out[:19]) == (0, "/invitation?secret=")
    async with engine.begin() as connection:
        roles = await connection.scalar(text("SELECT roles FROM gateway.people WHERE name = 'zoe'"))
    assert set(roles) == {"viewer", "approver"}


async def test_of_two_invitations_of_a_new_person_at_once_one_says_that_the_other_came_first(
    database_url, engine
):
    async with engine.connect() as connection:
        await bootstrap.invite(connection, "zoe", [Role.VIEWER], only_first=False)
        second = asyncio.create_task(run("invite", "zoe", DATABASE_URL=database_url))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        async with asyncio.timeout(30), engine.connect() as watching:
            while not await watching.scalar(waiting):
                await asyncio.sleep(0.05)
        await connection.commit()
    code, out, err = await second
    assert (code, out) == (1, "")
    assert err.startswith("approval-api: another command has just added 'zoe' and printed a link")
    assert err.count("\n") == 1


async def test_invite_refuses_invalid_names_and_roles(database_url):
    code, _, err = await run("invite", "../x", DATABASE_URL=database_url)
    assert (code, "../x" in err) == (2, True)
    code, _, err = await run("invite", "zoe", "--roles", "king", DATABASE_URL=database_url)
    assert (code, "king" in err) == (2, True)


NO_GARBAGE = """
import gc, sys

class Watch:
    def find_spec(self, name, path, target=None):
        if name == "approval_api.database.engine":
            print("garbage is collected" if gc.isenabled() else "garbage waits")

sys.meta_path.insert(0, Watch())
from approval_api.main import main; main()
"""


@pytest.mark.parametrize("arguments", [("serve",), ("migrate",), ("invite", "root")], ids=" ".join)
async def test_what_a_command_is_made_of_is_imported_without_looking_for_garbage(database_url, arguments):
    settings = environment(
        DATABASE_URL=database_url, DRYRUN="off", LISTEN="nowhere:0", TOKENS=f"ada:{'x' * 16}"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-c", NO_GARBAGE), *arguments, env=settings, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"garbage waits\n"
    finally:
        process.kill()
        await process.wait()


STREAM = "/api/v1/dryrun/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7/events"
STREAM_HEADERS = {**AUTHORIZATION, "Accept": "text/event-stream"}


async def store_a_queued_session(engine):
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, phase) "
                "VALUES ('7c9e6679-7425-40de-944b-e07fc1f90ae7', 'small', 'd', 0, false, 'ada', 'queued')"
            )
        )


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def variables(database_url, port):
    return environment(
        DATABASE_URL=database_url,
        TOKENS="ada:0123456789abcdef",
        LISTEN=f"127.0.0.1:{port}",
        ORCHESTRATOR_URL="http://127.0.0.1:1",
        ORCHESTRATOR_TOKEN="nobody answers",
    )


@asynccontextmanager
async def ending(process):
    """Leave no process when a test fails."""
    try:
        yield
    except BaseException:
        process.kill()
        await process.communicate()
        raise


@asynccontextmanager
async def client_of(port):
    """Yield a client of a process, once it listens."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        async with asyncio.timeout(60):
            while True:
                try:
                    await client.get("/livez")
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.02)
        yield client


WITH_A_FAULT = """
import asyncio
import os
from approval_api.main import main
from approval_api.sessions.outbox import Outbox

async def fail(self):
    while not os.path.exists(os.environ["FAULT"]):
        await asyncio.sleep(0.05)
    raise TypeError("a fault of the program")

Outbox.run = fail
main()
"""


async def test_a_fault_of_one_background_task_ends_streams_and_the_process_as_a_failure(
    database_url, engine, tmp_path
):
    await store_a_queued_session(engine)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITH_A_FAULT, "serve"),
        env={**variables(database_url, port), "FAULT": str(tmp_path / "fault")},
        stdout=asyncio.subprocess.PIPE,
    )
    async with ending(process), asyncio.timeout(60), client_of(port) as client:
        async with client.stream("GET", STREAM, headers=STREAM_HEADERS) as response:
            lines = response.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            (tmp_path / "fault").touch()
            failed_at = time.monotonic()
            async for _ in lines:
                pass
        out, _ = await process.communicate()
    assert process.returncode == 1
    assert time.monotonic() - failed_at < 8
    messages = [json.loads(line)["message"] for line in out.decode().splitlines()]
    assert any(message.startswith("outbox failed; ending the process") for message in messages), messages


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serves_json_lines_and_ends_streams_soon_after_a_signal(database_url, engine, number):
    await store_a_queued_session(engine)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", env=variables(database_url, port), stdout=asyncio.subprocess.PIPE
    )
    async with ending(process), client_of(port) as client:
        assert (await client.get("/readyz")).json()["status"] == "degraded"
        async with client.stream("GET", STREAM, headers=STREAM_HEADERS) as response:
            lines = response.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            process.send_signal(number)
            signalled_at = time.monotonic()
            async for _ in lines:
                pass
            # Far from the heartbeat's 15 s, which a stream that is not ended would wait for.
            assert time.monotonic() - signalled_at < 5
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    assert process.returncode == 0
    messages = [json.loads(line)["message"] for line in out.decode().splitlines()]
    assert "request" in messages
    assert "0123456789abcdef" not in out.decode()
