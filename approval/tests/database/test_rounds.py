"""Background work outlives a database that is away, whatever SQLAlchemy and its driver raise then."""

import asyncio
import re
from pathlib import Path

import pytest
from asyncpg import InterfaceError, InternalClientError
from asyncpg.exceptions import ConnectionDoesNotExistError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

import approval_api
from approval_api.database import rounds

AWAY = [
    InterfaceError("connection is closed"),
    InternalClientError("got result for unknown protocol state"),
    ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    OperationalError("SELECT 1", {}, Exception("away")),
    ConnectionResetError("reset by peer"),
    TimeoutError(),
]
SOURCE = Path(approval_api.__file__).parent


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
async def test_rounds_go_on_when_the_database_is_away(monkeypatch, error):
    monkeypatch.setattr(rounds, "_RETRY_SECONDS", 0.01)
    begun = 0
    again = asyncio.Event()

    async def work_once():
        nonlocal begun
        begun += 1
        if begun == 1:
            raise error
        again.set()

    working = asyncio.create_task(rounds.work_in_rounds(work_once, "tests"))
    async with asyncio.timeout(5):
        await again.wait()
    working.cancel()


async def test_a_round_whose_statement_fails_is_not_repeated_any_sooner(monkeypatch, caplog):
    monkeypatch.setattr(rounds, "_RETRY_SECONDS", 0.01)
    begun = 0

    async def work_once():
        nonlocal begun
        begun += 1
        raise DBAPIError("DELETE", {}, Exception("canceling statement due to statement timeout"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await rounds.work_in_rounds(work_once, "removals", every=60)
    assert begun == 1
    assert "removals failed; trying again later" in caplog.text
    assert "statement timeout" in caplog.records[-1].reason


async def test_rounds_end_by_a_fault_of_the_program():
    async def work_once():
        raise KeyError("a fault")

    with pytest.raises(KeyError):
        await rounds.work_in_rounds(work_once, "tests")


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
async def test_a_piece_of_a_round_says_that_the_database_is_away(error):
    async def work():
        raise error

    with pytest.raises(type(error)):
        await rounds.apart(work(), "tests")


@pytest.mark.parametrize("state", ["57P01", "57P03", "53300"])
async def test_a_piece_says_that_the_server_turned_it_away(engine, state):
    async def work():
        async with engine.connect() as connection:
            await connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))

    with pytest.raises(DBAPIError):
        await rounds.apart(work(), "tests")


async def test_a_piece_says_that_its_connection_was_ended(engine):
    async def work():
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DBAPIError):
        await rounds.apart(work(), "tests")


async def test_a_statement_that_takes_too_long_is_no_other_pieces_concern(engine, caplog):
    async def work():
        async with engine.connect() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 10"))
            await connection.execute(text("SELECT pg_sleep(5)"))

    await rounds.apart(work(), "a piece too slow")
    assert "the work of a piece too slow failed" in caplog.text


async def test_a_piece_of_a_round_fails_alone():
    async def work():
        raise KeyError("a fault")

    await rounds.apart(work(), "tests")


async def test_the_same_failure_is_logged_once_in_ten_minutes(monkeypatch, caplog):
    monkeypatch.setattr(rounds, "_logged_at", {})
    monkeypatch.setattr(rounds, "_MOST_KNOWN", 2)
    now = 1000.0
    monkeypatch.setattr(rounds.time, "monotonic", lambda: now)

    async def work(error):
        raise error

    async def logged(error, session):
        caplog.clear()
        await rounds.apart(work(error), "tests", session=session)
        return [record.session for record in caplog.records]

    assert await logged(KeyError(), "a") == ["a"]
    assert await logged(KeyError(), "a") == []
    assert await logged(ValueError(), "a") == ["a"]
    assert await logged(KeyError(), "b") == ["b"]
    assert len(rounds._logged_at) == 2
    now += 600
    assert await logged(KeyError(), "b") == ["b"]


def test_nobody_awaits_the_database_without_its_drivers_errors():
    narrow = re.compile(r"except \([^)]*SQLAlchemyError|except SQLAlchemyError")
    assert [str(file) for file in SOURCE.rglob("*.py") if narrow.search(file.read_text())] == []
