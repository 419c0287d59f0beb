import asyncio
import resource
import shutil
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from small_disk import filled, small_disk

from dryrun_contract.collector_config import ConfigError
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import (
    MAX_EVENT_BYTES,
    PAGE_BYTES,
    CollectorProgressed,
    DiscoveryReported,
    Event,
    PhaseChanged,
    SessionQueued,
)
from dryrun_contract.session import Phase
from dryrun_orchestrator.journal import event_log, readiness
from dryrun_orchestrator.journal import journal as journal_module
from dryrun_orchestrator.journal.errors import JournalError, JournalWriteError
from dryrun_orchestrator.journal.event_log import PositionGoneError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import DropCause, PoolState, RunRecord, SessionRecord
from dryrun_orchestrator.journal.schema import VERSION

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
QUEUED = SessionQueued(template="small", template_digest="sha256:0", seed=0, keep=False, actor="ada")


def a_session(**changes):
    return SessionRecord(
        **{
            "id": uuid4(),
            "template": "small",
            "template_digest": "sha256:0",
            "seed": 0,
            "keep": False,
            "actor": "ada",
            "phase": Phase.QUEUED,
            "phase_since": NOW,
            "created_at": NOW,
            **changes,
        }
    )


def numbers(page):
    return [Event.model_validate_json(event).seq for event in page]


@pytest.fixture
async def journal(tmp_path):
    opened = Journal.open(tmp_path, lambda: NOW)
    yield opened
    await opened.close()


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


async def test_the_sequence_has_no_gaps_under_parallel_writers(journal):
    sessions = [await journal.add_session(a_session(), QUEUED) for _ in range(5)]
    await asyncio.gather(
        *(
            journal.append(session.id, *(PhaseChanged(phase=Phase.WAITING) for _ in range(3)))
            for session in sessions
            for _ in range(10)
        )
    )
    page = await journal.events.after((journal.id, 0), 2000)
    assert numbers(page) == list(range(1, 5 + 150 + 1))


async def test_the_sequence_goes_on_after_the_table_was_emptied(tmp_path):
    journal = Journal.open(tmp_path, lambda: NOW)
    session = await journal.add_session(a_session(phase=Phase.ENDED, ended_at=NOW), QUEUED)
    await journal.events.after((journal.id, 1), 10)
    await journal.close()
    later = Journal.open(tmp_path, lambda: NOW + timedelta(days=8))
    await later.prune()
    with pytest.raises(PositionGoneError):
        await later.events.after((later.id, 0), 10)
    await later.append(session.id, PhaseChanged(phase=Phase.ENDED))
    page = await later.events.after((later.id, 1), 10)
    assert numbers(page) == [2]
    await later.close()


async def test_events_are_read_while_the_disk_is_full_and_acknowledged_later(journal, tmp_path, caplog):
    session = await journal.add_session(a_session(), QUEUED)
    await journal.append(session.id, *[PhaseChanged(phase=Phase.SCANNING)] * 3)
    with full(tmp_path / "journal.sqlite3-wal"):
        with pytest.raises(JournalWriteError, match=f"cannot be written: disk I/O error; .*{tmp_path}"):
            await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
        assert numbers(await journal.events.after((journal.id, 2), 10)) == [3, 4]
    assert "what was read cannot be noted" in caplog.text
    journal._now = lambda: NOW + timedelta(days=8)
    await journal.prune()
    assert numbers(await journal.events.after(None, 10)) == [1, 2, 3, 4]
    await journal.events.after((journal.id, 2), 10)
    await journal.prune()
    assert numbers(await journal.events.after((journal.id, 2), 10)) == [3, 4]
    with pytest.raises(PositionGoneError):
        await journal.events.after((journal.id, 1), 10)


async def test_a_journal_says_why_it_cannot_be_written_until_it_can(tmp_path):
    with small_disk(tmp_path / "state") as folder:
        journal = Journal.open(folder)
        session = await journal.add_session(a_session(), QUEUED)
        assert await journal.fault() is None
        with filled(folder):
            with pytest.raises(JournalWriteError):
                await journal.append(session.id, *[PhaseChanged(phase=Phase.SCANNING)] * 100)
            # Reading it to its end changes nothing, and so says nothing.
            await journal.events.after((journal.id, 0), 10)
            said = f"the journal cannot be written: database or disk is full; free space in {folder}"
            assert await journal.fault() == said
        assert await journal.fault() is None
        await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
        assert numbers(await journal.events.after(None, 10)) == [1, 2]
        await journal.close()


@contextmanager
def held(folder):
    """Hold the journal's write lock, as another program does that writes."""
    other = sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def test_a_journal_that_another_program_holds_may_heal_and_is_read_meanwhile(journal, tmp_path):
    session = await journal.add_session(a_session(), QUEUED)
    journal._connection.execute("PRAGMA busy_timeout=0")
    with held(tmp_path):
        said = f"written: database is locked; end the other program that works with the journal in {tmp_path}"
        with pytest.raises(JournalWriteError, match=said):
            await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
        assert await journal.events.newest() == 1
        assert numbers(await journal.events.after((journal.id, 0), 10)) == [1]
        assert (await journal.fault()).endswith(said)
    assert await journal.fault() is None
    await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))


async def test_what_cannot_be_read_may_heal(journal):
    class Failing:
        def execute(self, *_):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise error

    whole, journal._connection = journal._connection, Failing()
    with pytest.raises(match="the journal cannot be read: disk I/O error"):
        await journal.sessions()
    journal._connection = whole
    assert await journal.fault() is None
    assert await journal.sessions() == []


async def test_a_journal_whose_folder_is_gone_or_replaced_says_so(tmp_path):
    folder = tmp_path / "state"
    journal = Journal.open(folder)
    folder.rename(tmp_path / "away")
    said = f"No such file or directory; see that this service may write in {folder}"
    assert await journal.fault() == f"the journal cannot be written: {said}"
    await Journal.open(folder).close()
    assert "was replaced; restart this service" in await journal.fault()
    shutil.rmtree(folder)
    (tmp_path / "away").rename(folder)
    assert await journal.fault() is None
    await journal.close()


class RefusingToRollBack:
    """A connection that cannot roll back, as on a disk that fails, for so many times."""

    def __init__(self, connection, times):
        self._connection = connection
        self._left = times

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, statement, *values):
        if statement == "ROLLBACK" and self._left:
            self._left -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return self._connection.execute(statement, *values)


async def test_a_rollback_that_fails_hides_no_error_and_stands_in_no_later_change(journal):
    session = await journal.add_session(a_session(), QUEUED)
    journal._connection = RefusingToRollBack(journal._connection, times=2)
    # A wrong column is no error of storage, and reported as what it is.
    with pytest.raises(sqlite3.OperationalError, match="no such column: nonsense"):
        await journal.update_session(session.id, PhaseChanged(phase=Phase.WAITING), nonsense=1)
    with pytest.raises(JournalWriteError, match="disk I/O error"):
        await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
    await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
    assert numbers(await journal.events.after(None, 10)) == [1, 2]


@contextmanager
def full(file):
    """Let no file of this process grow beyond this one's size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_events_that_nobody_acknowledged_are_kept(tmp_path):
    journal = Journal.open(tmp_path, lambda: NOW)
    await journal.add_session(a_session(), QUEUED)
    await journal.close()
    later = Journal.open(tmp_path, lambda: NOW + timedelta(days=30))
    await later.prune()
    assert len(await later.events.after(None, 10)) == 1
    await later.close()


async def test_the_journal_stays_bounded_even_when_nobody_follows(journal, monkeypatch):
    monkeypatch.setattr(event_log, "MAX_EVENTS", 10)
    session = await journal.add_session(a_session(), QUEUED)
    await journal.append(session.id, *(PhaseChanged(phase=Phase.WAITING) for _ in range(30)))
    await journal.prune()
    assert numbers(await journal.events.after((journal.id, 21), 99)) == list(range(22, 32))
    with pytest.raises(PositionGoneError):
        await journal.events.after((journal.id, 20), 99)


@pytest.mark.parametrize("position", [lambda j: (uuid4(), 0), lambda j: (j.id, 99), lambda j: (j.id, -1)])
async def test_a_position_of_another_journal_or_from_the_future_is_gone(journal, position):
    await journal.add_session(a_session(), QUEUED)
    with pytest.raises(PositionGoneError):
        await journal.events.after(position(journal), 10)


async def test_a_second_process_is_refused_with_the_folder(tmp_path, journal):
    with pytest.raises(JournalError, match=str(tmp_path)):
        Journal.open(tmp_path)


async def test_a_journal_that_reads_badly_may_be_moved_away(tmp_path):
    (tmp_path / "journal.sqlite3").write_bytes(b"no database at all " * 1000)
    with pytest.raises(JournalError, match=r"not a database; move it away .* none of its sessions"):
        Journal.open(tmp_path)


async def test_a_full_disk_at_the_start_is_no_reason_to_abandon_a_journal(tmp_path):
    with small_disk(tmp_path / "state") as folder:
        kept = Journal.open(folder)
        await kept.close()
        with (
            filled(folder),
            pytest.raises(JournalError, match=f"{folder} has space|free space in {folder}") as raised,
        ):
            Journal.open(folder)
        assert "move it away" not in str(raised.value)
        again = Journal.open(folder)
        assert again.id == kept.id
        await again.close()


@pytest.mark.parametrize("name", ["journal.sqlite3", "journal.lock"])
async def test_a_file_that_cannot_be_opened_is_no_reason_to_abandon_a_journal(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(JournalError, match=r"may write in it") as raised:
        Journal.open(tmp_path)
    assert "move it away" not in str(raised.value)


async def test_the_journal_keeps_its_id_across_a_restart(tmp_path):
    first = Journal.open(tmp_path)
    await first.close()
    second = Journal.open(tmp_path)
    assert second.id == first.id
    await second.close()


async def test_an_append_wakes_whoever_took_the_signal_before(journal):
    signal = journal.events.signal()
    await journal.add_session(a_session(), QUEUED)
    async with asyncio.timeout(1):
        await signal.wait()
    assert not journal.events.signal().is_set()


async def test_of_a_discovery_reported_twice_the_later_one_is_passed_on(journal):
    session = await journal.add_session(a_session(), QUEUED)
    run = RunRecord(collector="network", run="r", state="running", started_at=NOW)
    reported = [
        Discovery(kind="service", key="10.0.0.3:80/tcp", data={"product": product})
        for product in (None, "nginx")
    ]
    events = [
        DiscoveryReported(collector="network", run="r", line=line, discovery=discovery)
        for line, discovery in enumerate([*reported, Discovery(kind="host", key="10.0.0.3")], 1)
    ]
    await journal.put_run(session.id, run, *events, CollectorProgressed(collector="network", run="r", done=1))
    assert await journal.events.found(session.id, {"service"}, {"network"}) == (reported[1],)


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


def found(line, size):
    discovery = Discovery(kind="host", key=f"10.213.0.{line}", data={"a": "x" * size})
    return DiscoveryReported(collector="network", run="1", line=line, discovery=discovery)


async def test_a_page_is_bounded_by_bytes_and_holds_one_event_at_least(journal):
    session = await journal.add_session(a_session(), QUEUED)
    await journal.append(session.id, *(found(line, 60_000) for line in range(1, 21)), found(21, 700_000))
    await journal.append(session.id, PhaseChanged(phase=Phase.WAITING))
    after, seen, longest = 0, [], 0
    while page := await journal.events.after((journal.id, after), 2000):
        assert len(page) == 1 or sum(map(len, page)) <= PAGE_BYTES
        seen += numbers(page)
        after, longest = seen[-1], max(longest, len(page))
    assert seen == list(range(1, 24))
    assert longest == 5


async def test_an_event_too_large_for_a_page_is_reported_as_refused(journal):
    session = await journal.add_session(a_session(), QUEUED)
    await journal.append(session.id, found(1, MAX_EVENT_BYTES))
    stored = [Event.model_validate_json(event).data for event in await journal.events.after(None, 10)]
    assert [event.type for event in stored] == ["session_queued", "event_refused"]
    assert stored[1].claimed_type == "discovery_reported"
    assert stored[1].size > MAX_EVENT_BYTES


async def test_the_journal_stays_bounded_in_bytes(journal, monkeypatch):
    monkeypatch.setattr(event_log, "MAX_BYTES", 1024 * 1024)
    session = await journal.add_session(a_session(), QUEUED)
    await journal.append(session.id, *(found(line, 50_000) for line in range(1, 100)))
    await journal.prune()
    assert journal.events._size() <= 1024 * 1024
    assert numbers(await journal.events.after((journal.id, 99), 10)) == [100]


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


async def test_what_a_collector_receives_of_others_is_bounded(journal):
    session = await journal.add_session(a_session(), QUEUED)
    await journal.append(session.id, *(found(line, 60_000) for line in range(1, 10)))
    assert len(await journal.events.found(session.id, {"host"}, {"network"})) == 9
    await journal.append(session.id, *(found(line, 60_000) for line in range(10, 20)))
    with pytest.raises(ConfigError, match="819200 bytes"):
        await journal.events.found(session.id, {"host"}, {"network"})


async def test_a_journal_of_an_earlier_version_is_opened_and_gets_a_pool(tmp_path):
    opened = Journal.open(tmp_path, lambda: NOW)
    session = await opened.add_session(a_session(), QUEUED)
    for column in ("pool", "prepared_at", "ready_at", "drop_cause"):
        opened._connection.execute(f"ALTER TABLE sessions DROP COLUMN {column}")
    opened._connection.execute("DROP TABLE prepared_events")
    await opened.close()
    opened = Journal.open(tmp_path, lambda: NOW)
    assert await opened.sessions() == [session]
    await opened.pool.add(a_session(pool=PoolState.PREPARING, prepared_at=NOW))
    assert [each.pool for each in await opened.sessions() if each.pool] == [PoolState.PREPARING]
    await opened.close()


async def test_a_journal_of_a_newer_format_is_refused_and_left_as_it_is(tmp_path):
    opened = Journal.open(tmp_path)
    opened._connection.execute("ALTER TABLE sessions DROP COLUMN held_overlay")
    assert event_log.meta(opened._connection, "version", "") == str(VERSION)
    opened._connection.execute("UPDATE meta SET value = '2' WHERE key = 'version'")
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
