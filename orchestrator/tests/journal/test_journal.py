import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from journaled import NOW, QUEUED, a_session

from dryrun_contract.event import (
    Event,
    PhaseChanged,
)
from dryrun_contract.session import Phase
from dryrun_orchestrator.journal import event_log, readiness
from dryrun_orchestrator.journal import journal as journal_module
from dryrun_orchestrator.journal.errors import JournalError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import DropCause, PoolState
from dryrun_orchestrator.journal.schema import VERSION


async def test_a_session_reads_back_as_it_was_stored(journal):
    session = a_session(seed=7, keep=True)
    assert await journal.add_session(session, QUEUED) == session
    assert await journal.sessions() == [session]


async def test_adding_a_session_again_changes_nothing_and_appends_nothing(journal):
    session = a_session()
    await journal.add_session(session, QUEUED)
    again = await journal.add_session(a_session(id=session.id, template="large"), QUEUED)
    assert again.template == "small"
    assert await journal.events.newest() == 1


async def test_readiness_follows_new_measurements_and_survives(tmp_path):
    journal = Journal.open(tmp_path, lambda: NOW)
    await journal.remember_readiness({"web": 1.0, "db": 4.0})
    await journal.remember_readiness({"web": 2.0})
    await journal.close()
    again = Journal.open(tmp_path, lambda: NOW)
    assert await again.readiness() == {"web": 1.5, "db": 4.0}
    await again.close()


async def test_readiness_of_images_measured_longest_ago_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(readiness, "MAX_IMAGES", 2)
    moments = iter(NOW + timedelta(seconds=second) for second in range(100))
    opened = Journal.open(tmp_path, lambda: next(moments))
    for image in ("old", "web", "db"):
        await opened.remember_readiness({image: 1.0})
    assert set(await opened.readiness()) == {"web", "db"}
    await opened.close()


async def test_state_and_events_change_together(journal):
    session = await journal.add_session(a_session(), QUEUED)
    changed = await journal.update_session(
        session.id, PhaseChanged(phase=Phase.PROVISIONING), phase=Phase.PROVISIONING, expires_at=NOW
    )
    assert (changed.phase, changed.expires_at) == (Phase.PROVISIONING, NOW)
    with pytest.raises(Exception, match="no such column"):
        await journal.update_session(session.id, PhaseChanged(phase=Phase.WAITING), nonsense=1)
    assert await journal.events.newest() == 2


async def test_events_are_appended_without_a_change(journal):
    session = await journal.add_session(a_session(), QUEUED)
    said = PhaseChanged(phase=session.phase, reason="waits")

    assert await journal.update_session(session.id, said) == session
    _, event = await journal.events.after((journal.id, 0), 10)
    assert '"waits"' in event


async def test_a_second_process_is_refused_with_the_folder(tmp_path, journal):
    with pytest.raises(JournalError, match=str(tmp_path)):
        Journal.open(tmp_path)


async def test_the_journal_keeps_its_id_across_a_restart(tmp_path):
    first = Journal.open(tmp_path)
    await first.close()
    second = Journal.open(tmp_path)
    assert second.id == first.id
    await second.close()


async def test_a_cancelled_caller_leaves_a_whole_transaction(journal):
    session = await journal.add_session(a_session(), QUEUED)
    task = asyncio.create_task(
        journal.update_session(session.id, PhaseChanged(phase=Phase.WAITING), phase=Phase.WAITING)
    )
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    phase = (await journal.session(session.id)).phase
    assert (phase, await journal.events.newest()) in [(Phase.WAITING, 2), (Phase.QUEUED, 1)]


async def test_a_session_is_remembered_while_the_swarm_holds_its_overlay(tmp_path):
    journal = Journal.open(tmp_path, lambda: NOW)
    held = await journal.add_session(a_session(), QUEUED)
    await journal.update_session(held.id, phase=Phase.ENDED, ended_at=NOW, held_overlay="dryrun-1")
    await journal.events.after((journal.id, 1), 1)
    await journal.close()
    later = Journal.open(tmp_path, lambda: NOW + timedelta(days=30))
    await later.prune()
    assert (await later.session(held.id)).held_overlay == "dryrun-1"
    await later.update_session(held.id, held_overlay=None)
    await later.prune()
    with pytest.raises(KeyError):
        await later.session(held.id)
    await later.close()


async def test_ended_sessions_are_remembered_up_to_a_bound(journal, monkeypatch):
    monkeypatch.setattr(journal_module, "MAX_SESSIONS", 3)
    for minute in range(5):
        ended = await journal.add_session(a_session(), QUEUED)
        at = NOW + timedelta(minutes=minute)
        await journal.update_session(ended.id, phase=Phase.ENDED, ended_at=at)
    running = await journal.add_session(a_session(), QUEUED)
    await journal.prune()
    kept = await journal.sessions()
    assert len(kept) == 3
    assert running.id in {session.id for session in kept}


async def test_of_ended_sessions_only_those_are_unfinished_of_which_something_is_left_to_do(journal):
    queued = await journal.add_session(a_session(), QUEUED)
    ended, held = [await journal.add_session(a_session(), QUEUED) for _ in range(2)]
    dropped = a_session(pool=PoolState.PREPARING, prepared_at=NOW)
    await journal.pool.add(dropped)
    await journal.pool.drop(dropped.id, DropCause.CHANGED, "changed")
    await journal.pool.mark_dropped(dropped.id, NOW)
    for session, overlay in ((ended, None), (held, "dryrun-1")):
        await journal.update_session(session.id, phase=Phase.ENDED, ended_at=NOW, held_overlay=overlay)
    assert {each.id for each in await journal.unfinished()} == {queued.id, held.id, dropped.id}
    assert await journal.has(ended.id)


async def test_a_journal_of_an_earlier_version_is_opened_and_gets_a_pool(tmp_path):
    opened = Journal.open(tmp_path, lambda: NOW)
    session = await opened.add_session(a_session(), QUEUED)
    for column in ("pool", "prepared_at", "ready_at", "drop_cause"):
        opened._file.connection.execute(f"ALTER TABLE sessions DROP COLUMN {column}")
    opened._file.connection.execute("DROP TABLE prepared_events")
    await opened.close()
    opened = Journal.open(tmp_path, lambda: NOW)
    assert await opened.sessions() == [session]
    await opened.pool.add(a_session(pool=PoolState.PREPARING, prepared_at=NOW))
    assert [each.pool for each in await opened.sessions() if each.pool] == [PoolState.PREPARING]
    await opened.close()


async def test_a_journal_of_a_newer_format_is_refused_and_left_as_it_is(tmp_path):
    opened = Journal.open(tmp_path)
    opened._file.connection.execute("ALTER TABLE sessions DROP COLUMN held_overlay")
    assert event_log.meta(opened._file.connection, "version", "") == str(VERSION)
    opened._file.connection.execute("UPDATE meta SET value = '2' WHERE key = 'version'")
    await opened.close()
    with pytest.raises(JournalError, match=r"of a newer release \(format 2; this one knows 1\); start that"):
        Journal.open(tmp_path)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
        assert "held_overlay" not in [row[1] for row in connection.execute("PRAGMA table_info(sessions)")]


async def test_events_of_a_prepared_session_are_published_by_its_claim_without_a_gap(journal):
    prepared, other = a_session(pool=PoolState.PREPARING, prepared_at=NOW), a_session()
    await journal.pool.add(prepared)
    await journal.append(prepared.id, PhaseChanged(phase=Phase.PROVISIONING))
    await journal.add_session(other, QUEUED)
    await journal.pool.mark_ready(prepared.id, NOW)
    (stored,) = await journal.events.after(None, 9)
    assert Event.model_validate_json(stored).session_id == other.id
    claimer = a_session(id=prepared.id, actor="ada")
    assert await journal.pool.claim(claimer, QUEUED, warm=True) == "warm"
    assert await journal.pool.claim(claimer, QUEUED, warm=True) is None
    events = [Event.model_validate_json(event) for event in await journal.events.after(None, 9)]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert [event.data.type for event in events[1:]] == ["session_queued", *2 * ["phase_changed"]]
    assert events[1].data.prepared_at == NOW


async def test_a_dropped_session_is_forgotten_once_no_deadline_can_be_later(tmp_path):
    now = [NOW]
    journal = Journal.open(tmp_path, lambda: now[0])
    prepared = a_session(pool=PoolState.PREPARING, prepared_at=NOW)
    await journal.pool.add(prepared)
    assert await journal.pool.drop(prepared.id, DropCause.ROOM, "room")
    await journal.append(prepared.id, PhaseChanged(phase=Phase.WAITING))
    await journal.pool.mark_dropped(prepared.id, NOW)
    assert not await journal.pool.drop(prepared.id, DropCause.ROOM, "room")
    now[0] = NOW + timedelta(minutes=29)
    await journal.prune()
    assert [each.pool for each in await journal.sessions()] == [PoolState.DROPPED]
    now[0] = NOW + timedelta(minutes=31)
    await journal.prune()
    assert await journal.sessions() == []
    assert await journal.events.after(None, 9) == []
    await journal.close()
