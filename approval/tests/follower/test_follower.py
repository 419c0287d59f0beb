import asyncio
import contextlib
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from asyncpg import InterfaceError
from followed import position, queued, reported, rows, stored, stored_numbers
from sqlalchemy import text

from approval_api.events.repository import page as events_page
from approval_api.follower import repository
from approval_api.follower.follower import Follower, GapError
from approval_api.orchestrator.client import Position
from dryrun_contract.event import (
    EventPage,
    NetworkCreated,
    PhaseChanged,
    SessionEnded,
    SessionQueued,
)
from dryrun_contract.session import Outcome, Phase


async def test_stores_events_and_moves_the_position(follower, engine, orchestrator):
    session = uuid4()
    queued(orchestrator, session)
    orchestrator.tell(session, PhaseChanged(phase=Phase.PROVISIONING))
    await follower.follow_once()
    assert await stored_numbers(engine) == [1, 2]
    assert await position(engine) == Position(orchestrator.journal, 2)
    assert follower.state.following
    async with engine.connect() as connection:
        stored = await events_page(connection, session, 0, 10)
    assert stored.events == orchestrator.log


async def test_an_empty_journal_is_a_position_too(follower, engine, orchestrator):
    await follower.follow_once()
    assert await position(engine) == Position(orchestrator.journal, 0)


async def test_events_delivered_twice_are_stored_once(follower, engine, orchestrator):
    session = uuid4()
    queued(orchestrator, session)
    await follower.follow_once()
    old = await position(engine)
    orchestrator.tell(session, PhaseChanged(phase=Phase.WAITING))
    page = EventPage(journal=orchestrator.journal, events=tuple(orchestrator.log))
    assert await follower.store_page(old, page)
    assert await stored_numbers(engine) == [1, 2]


async def test_of_two_concurrent_followers_one_stores(follower, engine, orchestrator):
    session = uuid4()
    for _ in range(50):
        queued(orchestrator, session)
    page = EventPage(journal=orchestrator.journal, events=tuple(orchestrator.log))
    stored = await asyncio.gather(*(follower.store_page(None, page) for _ in range(5)))
    assert sorted(stored) == [False] * 4 + [True]
    assert await stored_numbers(engine) == list(range(1, 51))


async def test_two_followers_that_run_store_everything_once(
    follower, engine, orchestrator, orchestrator_client, metrics, eventually
):
    session = uuid4()
    other = Follower(engine, orchestrator_client, metrics)
    running = [asyncio.create_task(one.run()) for one in (follower, other)]
    for number in range(1, 200):
        reported(orchestrator, session, number, key=f"10.213.0.{number}")
        await asyncio.sleep(0.001)

    async def arrived():
        return len(await stored_numbers(engine)) == 199

    await eventually(arrived)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert await stored_numbers(engine) == list(range(1, 200))
    assert len(await rows(engine, "SELECT * FROM gateway.dryrun_discoveries")) == 199


async def test_a_follower_that_was_frozen_stores_nothing_when_it_wakes(follower, engine, orchestrator):
    session = uuid4()
    queued(orchestrator, session)
    frozen = EventPage(journal=orchestrator.journal, events=tuple(orchestrator.log))
    orchestrator.tell(session, SessionEnded(outcome=Outcome.COMPLETED))
    await follower.follow_once()
    assert not await follower.store_page(None, frozen)
    assert (await rows(engine, "SELECT phase FROM gateway.dryrun_sessions")) == [{"phase": "ended"}]
    assert await position(engine) == Position(orchestrator.journal, 2)


async def test_a_crash_between_storing_and_committing_leaves_nothing(
    follower, engine, orchestrator, monkeypatch
):
    session = uuid4()
    queued(orchestrator, session)
    whole = repository.store_events

    async def crashing(connection, events):
        await whole(connection, events)
        raise OSError("the process dies here")

    monkeypatch.setattr(repository, "store_events", crashing)
    with pytest.raises(OSError, match="dies here"):
        await follower.follow_once()
    assert await position(engine) is None
    assert await stored_numbers(engine) == []
    assert await rows(engine, "SELECT * FROM gateway.dryrun_sessions") == []
    monkeypatch.undo()
    await follower.follow_once()
    assert await stored_numbers(engine) == [1]


async def test_a_gap_is_refused_and_nothing_is_stored(follower, engine, orchestrator):
    session = uuid4()
    for _ in range(3):
        queued(orchestrator, session)
    page = EventPage(journal=orchestrator.journal, events=(orchestrator.log[0], orchestrator.log[2]))
    with pytest.raises(GapError, match="expected event 2"):
        await follower.store_page(None, page)
    assert await position(engine) is None


async def test_adopts_a_session_that_was_not_started_here(follower, engine, orchestrator):
    session, fragment = uuid4(), uuid4()
    queued(orchestrator, session)
    expires = datetime(2026, 1, 31, 10, tzinfo=UTC)
    orchestrator.tell(session, NetworkCreated(name="n", subnet="10.213.0.0/27", expires_at=expires))
    orchestrator.tell(fragment, PhaseChanged(phase=Phase.SCANNING))
    await follower.follow_once()
    found = await rows(
        engine,
        "SELECT template, requested_by, phase, expires_at, template_snapshot, history_complete "
        "FROM gateway.dryrun_sessions ORDER BY template",
    )
    assert found == [
        {
            "template": "small",
            "requested_by": "ada",
            "phase": "queued",
            "expires_at": expires,
            "template_snapshot": None,
            "history_complete": True,
        },
        {
            "template": "unknown",
            "requested_by": "unknown",
            "phase": "scanning",
            "expires_at": None,
            "template_snapshot": None,
            "history_complete": False,
        },
    ]


async def test_a_discovery_reported_twice_is_one_and_the_more_confident_wins(follower, engine, orchestrator):
    session = uuid4()
    reported(orchestrator, session, 1, confidence=0.5, os="first")
    reported(orchestrator, session, 2, confidence=0.9, os="sure")
    await follower.follow_once()
    reported(orchestrator, session, 3, confidence=0.7, os="late")
    reported(orchestrator, session, 4, confidence=0.9, os="as sure, but second")
    await follower.follow_once()
    found = await rows(engine, "SELECT data, line, is_dryrun FROM gateway.dryrun_discoveries")
    assert found == [{"data": {"os": "sure"}, "line": 2, "is_dryrun": True}]


@pytest.mark.parametrize(
    "hostile",
    [
        "\x00",
        "a\\000b\\x00\\",
        "\\",
        "' OR 1=1; DROP TABLE x; --",
        "<script>alert(1)</script>\x1b[2J",
        "é" * 900,
        "".join(map(chr, range(0x4E00, 0x4E00 + 900))),
    ],
)
async def test_no_text_of_a_target_stops_the_follower(follower, engine, orchestrator, hostile):
    session = uuid4()
    key = "10.213.0.3:80/tcp/" + hostile.replace("/", "%2F")
    reported(orchestrator, session, 1, key=key, banner=hostile, **{hostile: [hostile, {"x": hostile}]})
    reported(orchestrator, session, 2, key=key + "x")
    await follower.follow_once()
    shown = hostile.replace("\x00", "\u2400")
    found = await rows(engine, "SELECT key, data FROM gateway.dryrun_discoveries ORDER BY line")
    assert len(found) == 2
    assert found[0]["data"] == {"banner": shown, shown: [shown, {"x": shown}]}
    assert found[0]["key"] == key.replace("\x00", "\u2400")


async def test_a_template_changed_before_the_start_is_not_scored_against(follower, engine, orchestrator):
    session = uuid4()
    queued(orchestrator, session)
    await follower.follow_once()
    snapshot = "UPDATE gateway.dryrun_sessions SET template_snapshot = '{}'"
    kept = "SELECT digest, template_snapshot FROM gateway.dryrun_sessions"
    async with engine.begin() as connection:
        await connection.execute(text(snapshot))
    queued(orchestrator, session)
    await follower.follow_once()
    assert await rows(engine, kept) == [{"digest": "sha256:1", "template_snapshot": {}}]
    orchestrator.tell(
        session, SessionQueued(template="small", template_digest="sha256:2", seed=0, keep=False, actor="ada")
    )
    await follower.follow_once()
    assert await rows(engine, kept) == [{"digest": "sha256:2", "template_snapshot": None}]


async def test_a_process_that_crashes_on_large_pages_gets_further_with_each_restart(
    engine, orchestrator, orchestrator_client, metrics, monkeypatch
):
    class Killed(BaseException):
        pass

    session = uuid4()
    for line in range(1, 21):
        reported(orchestrator, session, line, key=f"10.213.0.{line}")
    store = repository.store_events

    async def dies_of_five(connection, events):
        if len(events) >= 5:
            raise Killed
        return await store(connection, events)

    monkeypatch.setattr(repository, "store_events", dies_of_five)
    lives = 0
    while len(await stored_numbers(engine)) < 20:
        orchestrator.longest_wait = 0.05
        follower = Follower(engine, orchestrator_client, metrics)
        with contextlib.suppress(Killed, TimeoutError):
            async with asyncio.timeout(2):
                await follower.run()
        lives += 1
        assert lives < 10
    assert await stored_numbers(engine) == list(range(1, 21))


async def test_a_slow_database_does_not_make_an_event_refused(follower, engine, orchestrator, monkeypatch):
    session = uuid4()
    reported(orchestrator, session, 1)

    async def too_slow(connection, events):
        await connection.execute(text("SET LOCAL statement_timeout = 50"))
        await connection.execute(text("SELECT pg_sleep(5)"))

    monkeypatch.setattr(repository, "store_events", too_slow)
    running = asyncio.create_task(follower.run())
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not follower.state.following
    monkeypatch.undo()
    await follower.follow_once()
    assert [kind for _, kind, _ in await stored(engine)] == ["discovery_reported"]


async def test_a_connection_that_closes_at_the_wrong_moment_makes_no_event_refused(
    follower, engine, orchestrator, monkeypatch
):
    session = uuid4()
    queued(orchestrator, session)
    with monkeypatch.context() as away:

        async def closed(*_arguments):
            raise InterfaceError("connection is closed")

        away.setattr(follower, "store_page", closed)
        with pytest.raises(InterfaceError):
            await follower.follow_once()
    await follower.follow_once()
    assert await stored_numbers(engine) == [1]


async def test_an_answer_without_end_is_not_read_to_its_end(follower, engine, orchestrator):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    orchestrator.endless = endless
    running = asyncio.create_task(follower.run())
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not follower.state.following
    assert 0 < sent < 200 * 2**20


async def test_logs_once_why_it_cannot_follow_and_once_that_it_can_again(
    follower, orchestrator, caplog, eventually
):
    caplog.set_level("INFO", "approval_api.follower")
    orchestrator.down = True
    running = asyncio.create_task(follower.run())

    async def tried_again():
        return await asyncio.sleep(0.7, result=True)

    await eventually(tried_again)
    assert not follower.state.following
    orchestrator.down = False

    async def following():
        return follower.state.following

    await eventually(following)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    logged = [record.message for record in caplog.records]
    assert logged == ["cannot follow events; trying again", "following events"]


async def test_a_database_restarted_while_events_flow_loses_and_doubles_nothing(
    follower, engine, orchestrator, postgres, eventually
):
    session = uuid4()
    running = asyncio.create_task(follower.run())
    for number in range(1, 401):
        reported(orchestrator, session, number, key=f"10.213.{number // 200}.{number % 200}")
        if number in {100, 250}:
            await asyncio.to_thread(postgres.stop)
        if number in {150, 300}:
            await asyncio.to_thread(postgres.start)
        await asyncio.sleep(0.004)

    async def arrived():
        return len(await stored_numbers(engine)) == 400

    await eventually(arrived, 20)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await stored_numbers(engine) == list(range(1, 401))
    assert len(await rows(engine, "SELECT * FROM gateway.dryrun_discoveries")) == 400
    assert await position(engine) == Position(orchestrator.journal, 400)
