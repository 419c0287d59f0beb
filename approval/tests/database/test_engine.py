"""A connection that died is replaced before anybody uses it, and one in use is not questioned each time."""

import asyncio
import math

import pytest
from sqlalchemy import make_url, text

from approval_api.database import engine as pools
from approval_api.database.engine import close_engine, create_engine
from approval_api.database.watching import ask


class Relay:
    """Stands between the pool and the server: counts what the client sends, and can reset connections."""

    def __init__(self, server):
        self._server = server
        self._forgotten = 0
        self._silenced = 0
        self._opened = 0
        self.requests = 0

    def forget(self):
        """Answer the next byte of every connection there is by a reset, as a firewall does."""
        self._forgotten = self._opened

    def silence(self, *, new_ones=False):
        """Drop whatever the connections there are send from now on; with `new_ones` that of others, too."""
        self._silenced = math.inf if new_ones else self._opened

    def speak(self):
        """Pass on what new connections send."""
        self._silenced = self._opened

    async def serve(self, reader, writer):
        self._opened += 1
        number = self._opened
        from_server, to_server = await asyncio.open_unix_connection(self._server)

        async def answers():
            while data := await from_server.read(65536):
                writer.write(data)
            writer.close()

        answering = asyncio.create_task(answers())
        try:
            while (data := await reader.read(65536)) and number > self._forgotten:
                self.requests += 1
                if number > self._silenced:
                    to_server.write(data)
        finally:
            answering.cancel()
            writer.transport.abort()
            to_server.transport.abort()


@pytest.fixture
async def relayed(postgres, database_url):
    """A relay, and a pool of one connection through it."""
    relay = Relay(postgres.socket)
    listening = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    url = make_url(database_url).set(host=host, port=port, query={"ssl": "disable"})
    pool = create_engine(url.render_as_string(hide_password=False), connections=1)
    yield relay, pool
    await close_engine(pool)
    listening.close()


async def _server_process(pool):
    async with pool.connect() as connection:
        return (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()


async def test_a_connection_that_the_server_closed_is_replaced(engine, relayed):
    _, pool = relayed
    first = await _server_process(pool)
    assert await _server_process(pool) == first
    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend({first}, 5000)"))
    assert await _server_process(pool) != first


async def test_one_that_was_idle_and_does_not_answer_is_replaced(relayed, monkeypatch):
    monkeypatch.setattr(pools, "PING_AFTER_SECONDS", 0.0)
    relay, pool = relayed
    first = await _server_process(pool)
    relay.forget()
    assert await _server_process(pool) != first


async def test_one_that_was_idle_and_answers_is_kept_for_one_round_trip_more(relayed, monkeypatch):
    monkeypatch.setattr(pools, "PING_AFTER_SECONDS", 0.0)
    relay, pool = relayed
    first = await _server_process(pool)
    relay.requests = 0
    assert [await _server_process(pool) for _ in range(5)] == 5 * [first]
    assert relay.requests == 5 * 4


async def test_one_that_was_idle_and_leads_nowhere_is_replaced_within_seconds(relayed, monkeypatch):
    monkeypatch.setattr(pools, "PING_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(pools, "PING_SECONDS", 0.2)
    relay, pool = relayed
    first = await _server_process(pool)
    relay.silence()
    async with asyncio.timeout(5):
        assert await _server_process(pool) != first


async def test_a_transaction_of_one_statement_takes_three_round_trips(relayed):
    relay, pool = relayed
    await _server_process(pool)
    relay.requests = 0
    for _ in range(5):
        await _server_process(pool)
    assert relay.requests == 5 * 3


async def test_a_server_that_falls_silent_does_not_answer_within_seconds(relayed, monkeypatch):
    monkeypatch.setattr(pools, "PING_SECONDS", 0.2)
    relay, pool = relayed
    await ask(pool)
    relay.silence()
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await ask(pool)
        # The next one is new.
        await ask(pool)


@pytest.mark.parametrize("kind", ["in use", "idle", "all taken"])
async def test_a_host_that_falls_silent_does_not_answer_in_time_whatever_the_pool_waits_for(
    relayed, monkeypatch, kind
):
    monkeypatch.setattr(pools, "PING_SECONDS", 0.5)
    if kind == "idle":
        monkeypatch.setattr(pools, "PING_AFTER_SECONDS", 0.0)
    relay, pool = relayed
    await ask(pool)
    relay.silence(new_ones=True)
    taken = asyncio.create_task(_server_process(pool)) if kind == "all taken" else None
    await asyncio.sleep(0)
    for _ in range(3):
        async with asyncio.timeout(1.5):
            with pytest.raises(TimeoutError):
                await ask(pool)
    if taken is not None:
        taken.cancel()
        await asyncio.wait([taken])
    # None of the pool's places is lost with who gave up.
    relay.speak()
    async with asyncio.timeout(1.5):
        await ask(pool)
