"""Clients take turns for what is done one at a time: nobody's crowd keeps another waiting for all of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from guard_stage import on_behalf_of

from docker_guard.engine.client import ON_BEHALF_OF
from docker_guard.engine.fair_lock import FairLock
from docker_guard.refusal import Refusal


@asynccontextmanager
async def _held(lock: FairLock, client: str, log: list[str]) -> AsyncIterator[None]:
    on_behalf_of(client)
    async with lock.held():
        log.append(client)
        yield


async def _hold(lock: FairLock, client: str, log: list[str], seconds: float = 0.01) -> None:
    async with _held(lock, client, log):
        before = len(log)
        await asyncio.sleep(seconds)
        assert len(log) == before, "somebody else had the lock meanwhile"


async def test_clients_take_turns():
    lock, log = FairLock(5), list[str]()
    async with asyncio.TaskGroup() as group:
        for client in ("many", "many", "many", "many", "few", "few", "one"):
            group.create_task(_hold(lock, client, log))
    assert log == ["many", "many", "few", "one", "many", "few", "many"]


async def test_whoever_holds_it_asks_the_engine_for_nobodys_account():
    on_behalf_of("one")
    client = ON_BEHALF_OF.get()
    lock = FairLock(5)
    for _ in range(2):
        with suppress(LookupError):
            async with lock.held():
                assert ON_BEHALF_OF.get() is None
                raise LookupError
        assert ON_BEHALF_OF.get() is client


async def test_wait_that_takes_too_long_is_refused_and_costs_its_client_no_turn():
    lock, log = FairLock(0.1), list[str]()
    async with asyncio.TaskGroup() as group:
        holding = group.create_task(_hold(lock, "holds", log, 0.3))
        await asyncio.sleep(0)
        given_up = [asyncio.create_task(_hold(lock, "many", log)) for _ in range(5)]
        await asyncio.wait(given_up)
        assert [isinstance(each.exception(), Refusal) for each in given_up] == [True] * 5
        await asyncio.sleep(0.15)
        for client in ("many", "few"):
            group.create_task(_hold(lock, client, log))
        await holding
    assert log == ["holds", "many", "few"]


async def test_lock_that_was_passed_to_somebody_who_is_cancelled_goes_on():
    lock, log = FairLock(5), list[str]()
    async with _held(lock, "first", log):
        waiting = asyncio.create_task(_hold(lock, "second", log))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    waiting.cancel()  # it has the lock already, and has not run since
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1):
        await _hold(lock, "third", log)
    assert log == ["first", "third"]
