"""How long the follower rests after a page."""

import asyncio
import time
from uuid import uuid4

import pytest
from followed import queued, reported, stored_numbers

from approval_api.follower import repository
from approval_api.orchestrator.client import ReadPage
from dryrun_contract.event import PAGE_BYTES, EventPage, PhaseChanged, Snapshot
from dryrun_contract.session import Phase


async def test_after_a_page_of_large_events_it_rests_as_long_as_that_took(follower, monkeypatch):
    rests, took = [], iter([0.2, 0.0, 30.0])

    async def follow_once():
        follower._limit, follower._stored_for = 500, next(took)
        return 3

    async def sleep(seconds):
        rests.append(seconds)
        if len(rests) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(follower, "follow_once", follow_once)
    monkeypatch.setattr("approval_api.follower.follower.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await follower.run()
    assert rests == [0.2, 0.1, 0.5]


async def test_an_answer_with_nothing_new_that_comes_at_once_does_not_make_it_ask_at_once(
    follower, monkeypatch
):
    asked, rests = [], []

    async def follow_once():
        if len(asked) == 2:
            raise asyncio.CancelledError
        follower._limit = 500
        asked.append(None)
        return 0

    async def sleep(seconds):
        rests.append(seconds)

    monkeypatch.setattr(follower, "follow_once", follow_once)
    monkeypatch.setattr("approval_api.follower.follower.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await follower.run()
    assert rests == [0.1, 0.1]


async def test_a_burst_of_events_costs_few_pages_and_what_comes_after_it_is_not_delayed(
    follower, orchestrator, engine, monkeypatch
):
    # On a busy machine even an answer that is there takes longer than the 50 ms that identify it.
    monkeypatch.setattr("approval_api.follower.follower._AT_ONCE_SECONDS", 0.5)
    orchestrator.longest_wait = 30
    session = uuid4()
    queued(orchestrator, session)
    following = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(10):
            while not follower.state.following or await stored_numbers(engine) != [1]:
                await asyncio.sleep(0.05)
        before, begun = len(orchestrator.requests), time.monotonic()
        for _ in range(100):
            orchestrator.tell(session, PhaseChanged(phase=Phase.WAITING))
            await asyncio.sleep(0.02)
        # The first ones are not apart yet, or double the size of a page.
        assert len(orchestrator.requests) - before <= 6 + (time.monotonic() - begun) / 0.3
        async with asyncio.timeout(10):
            while len(await stored_numbers(engine)) < 101:
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
            while len(await stored_numbers(engine)) < 102:
                await asyncio.sleep(0.05)
        assert follower._rest == 0.1
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_events_that_wait_behind_a_full_page_wait_only_as_long_as_that_took(
    follower, orchestrator, engine, monkeypatch
):
    session, rests, really = uuid4(), [], asyncio.sleep
    queued(orchestrator, session)
    for _ in range(200):
        orchestrator.tell(session, PhaseChanged(phase=Phase.WAITING))

    async def sleep(seconds):
        rests.append(follower._rest)
        if await stored_numbers(engine) == list(range(1, 202)):
            raise asyncio.CancelledError
        await really(0)

    monkeypatch.setattr("approval_api.follower.follower.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await follower.run()
    # Pages of 1, 2, 4 … 64 events, and of the 74 that are left.
    assert rests[:7] == 7 * [0.0]


async def test_how_long_storing_a_page_took_is_measured_anew_with_each(follower, orchestrator, monkeypatch):
    # A second: without it, a page takes a tenth of that on a busy machine.
    store, wait = repository.store_events, 1.0

    async def slowly(connection, events):
        await asyncio.sleep(wait)
        return await store(connection, events)

    monkeypatch.setattr(repository, "store_events", slowly)
    queued(orchestrator, uuid4())
    await follower.follow_once()
    slow, wait = follower._stored_for, 0.0
    queued(orchestrator, uuid4())
    await follower.follow_once()
    assert follower._stored_for < 1 <= slow


async def test_what_waits_behind_a_page_full_of_bytes_waits_only_as_long_as_that_took(
    follower, orchestrator, engine, monkeypatch
):
    # On a busy machine even an answer that is there takes longer than the 50 ms that identify it.
    monkeypatch.setattr("approval_api.follower.follower._AT_ONCE_SECONDS", 0.5)
    session, rests, really = uuid4(), [], asyncio.sleep
    queued(orchestrator, session)
    for number in range(1, 81):
        reported(orchestrator, session, number, key=f"10.213.0.{number}", name="n" * 16_000)

    async def sleep(seconds):
        rests.append(follower._rest)
        if len(await stored_numbers(engine)) == 81:
            raise asyncio.CancelledError
        await really(0)

    monkeypatch.setattr("approval_api.follower.follower.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await follower.run()
    # Pages of 1, 2, 4 and 8 events; then of 16, which are a page's bytes; last what is left.
    assert rests[5:-1] == 3 * [0.0], rests


async def test_a_large_page_of_what_is_known_already_is_rested_from_as_one_of_nothing(
    follower, orchestrator, monkeypatch
):
    for _ in range(8):
        queued(orchestrator, uuid4())
    known = EventPage(journal=orchestrator.journal, events=tuple(orchestrator.log))
    await follower.follow_once()

    async def events(_after, **_choices):
        return ReadPage(known, PAGE_BYTES, 0.0)

    monkeypatch.setattr(follower._source, "events", events)
    assert await follower.follow_once() == 0
    assert follower._rest > 0.1


async def test_what_a_page_took_to_be_read_is_rested_from_too(follower, orchestrator, monkeypatch):
    queued(orchestrator, uuid4())
    page = EventPage(journal=orchestrator.journal, events=tuple(orchestrator.log))

    async def events(_after, **_choices):
        return ReadPage(page, PAGE_BYTES, 3.0)

    monkeypatch.setattr(follower._source, "events", events)
    assert await follower.follow_once() == 1
    assert follower._stored_for >= 3


async def test_what_a_snapshot_took_to_be_stored_is_rested_from_too(follower, orchestrator, monkeypatch):
    async def events(_after, **_choices):
        return Snapshot(journal=orchestrator.journal, seq=0, sessions=())

    async def slowly(*_):
        await asyncio.sleep(0.3)

    monkeypatch.setattr(follower._source, "events", events)
    monkeypatch.setattr(follower, "store_snapshot", slowly)
    assert await follower.follow_once() == 0
    assert follower._stored_for >= 0.3
