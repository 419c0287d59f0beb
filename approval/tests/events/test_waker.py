"""Listening survives whatever happens to its connection, wherever it happens; on a real server."""

import asyncio
import logging
from uuid import uuid4

import pytest
from sqlalchemy import text
from wires import Wire, opened

from approval_api.database.engine import close_engine, create_engine
from approval_api.events import waker as module
from approval_api.events.waker import NOTIFY_CHANNEL, Waker
from dryrun_local.system.postgres import url_of

SOCKET = ".s.PGSQL.5432"
TERMINATE = b"X\x00\x00\x00\x04"
"""What a client says before it closes its connection."""


class Trap(Wire):
    """A wire to the server on which something happens to a connection once a client sends `bait`."""

    def __init__(self, own, target, kill):
        super().__init__("api-database", own, target)
        self.bait = None
        self.harm = ""
        self.sprung = asyncio.Event()
        self._kill = kill

    async def _pump(self, reader, writer):
        await super()._pump(_Watched(reader, self), writer)

    async def saw(self, said):
        if self.bait is None or self.bait not in said:
            return
        self.bait = None
        self.sprung.set()
        if self.harm == "frozen":
            self.freeze()
        elif self.harm == "killed":
            await self._kill()
        else:
            self.cut()
            await asyncio.sleep(0)


class _Watched:
    def __init__(self, reader, trap):
        self._reader = reader
        self._trap = trap

    async def read(self, size):
        said = await self._reader.read(size)
        await self._trap.saw(said)
        return said


@pytest.fixture
async def trap(postgres, database, engine, tmp_path):
    async def kill():
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    trap = Trap(tmp_path / SOCKET, postgres.socket, kill)
    async with opened(trap):
        yield trap


@pytest.fixture
async def listening(trap, database, tmp_path, monkeypatch):
    """A waker over the wire, probed all the time, with 5 s for a statement."""
    monkeypatch.setattr(module, "_PROBE_SECONDS", 0.05)
    monkeypatch.setattr("approval_api.database.engine.STATEMENT_SECONDS", 0)
    engine = create_engine(url_of(database, tmp_path), connections=1)
    yield Waker(engine)
    await close_engine(engine)


async def is_woken(waker, engine):
    """Notify until a stream is woken by it, not by a reconnect."""
    session_id = uuid4()
    with waker.subscribed(session_id) as woken:
        async with asyncio.timeout(15):
            while True:
                async with engine.begin() as connection:
                    sent = text(f"SELECT pg_notify('{NOTIFY_CHANNEL}', :id)")
                    await connection.execute(sent, {"id": str(session_id)})
                try:
                    async with asyncio.timeout(0.1):
                        return await woken.wait()
                except TimeoutError:
                    pass


@pytest.mark.parametrize("harm", ["cut", "killed", "frozen"])
@pytest.mark.parametrize("bait", ["LISTEN", "SELECT 1"])
async def test_it_listens_again_after_its_connection_was_lost(trap, listening, engine, caplog, bait, harm):
    if bait != "LISTEN":
        running = asyncio.create_task(listening.run())
        await is_woken(listening, engine)
    trap.bait, trap.harm = bait.encode(), harm
    if bait == "LISTEN":
        running = asyncio.create_task(listening.run())
    async with asyncio.timeout(10):
        await trap.sprung.wait()
        with caplog.at_level(logging.WARNING):
            while "listening for events failed; reconnecting" not in caplog.text:
                assert not running.done(), running.exception()
                await asyncio.sleep(0.01)
    trap.thaw()
    await is_woken(listening, engine)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


@pytest.mark.parametrize("harm", ["cut", "killed", "frozen"])
async def test_it_ends_when_cancelled_whatever_happens_to_its_connection(trap, listening, engine, harm):
    running = asyncio.create_task(listening.run())
    await is_woken(listening, engine)
    trap.bait, trap.harm = TERMINATE, harm
    running.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert trap.sprung.is_set()


async def test_the_end_of_the_pool_does_not_wait_for_a_server_that_is_silent(trap, database, tmp_path):
    engine = create_engine(url_of(database, tmp_path), connections=1)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    trap.freeze()
    async with asyncio.timeout(10):
        await close_engine(engine)
