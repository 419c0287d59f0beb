"""The events of a journal: one gapless sequence, read in bounded pages, and kept within bounds."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from journaled import NOW, QUEUED, a_session, full, numbers

from dryrun_contract.collector_config import ConfigError
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import (
    MAX_EVENT_BYTES,
    PAGE_BYTES,
    CollectorProgressed,
    DiscoveryReported,
    Event,
    PhaseChanged,
)
from dryrun_contract.session import Phase
from dryrun_orchestrator.journal import event_log
from dryrun_orchestrator.journal.errors import JournalWriteError
from dryrun_orchestrator.journal.event_log import PositionGoneError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import RunRecord


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


@pytest.mark.parametrize(("wrong", "at_a_week"), [(timedelta(days=4000), 2), (timedelta(days=-4000), 3)])
async def test_what_a_wrong_clock_stamped_is_forgotten_with_what_follows_it(journal, wrong, at_a_week):
    session = await journal.add_session(a_session(), QUEUED)
    for since in (wrong, timedelta(days=1), timedelta(days=6)):
        journal.events._now = lambda since=since: NOW + since
        await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
    await journal.events.after((journal.id, 4), 10)
    kept = {}
    for days in (6.5, 7.5, 8.5, 13.5):
        journal._now = lambda days=days: NOW + timedelta(days=days)
        await journal.prune()
        kept[days] = [
            row["seq"] for row in journal._file.connection.execute("SELECT seq FROM events ORDER BY seq")
        ]
    assert kept == {6.5: [1, 2, 3, 4], 7.5: [*range(at_a_week, 5)], 8.5: [4], 13.5: []}


async def test_a_clock_that_is_set_back_loses_nothing(journal):
    session = await journal.add_session(a_session(), QUEUED)
    journal._now = journal.events._now = lambda: NOW - timedelta(days=4000)
    await journal.append(session.id, PhaseChanged(phase=Phase.SCANNING))
    await journal.events.after((journal.id, 2), 10)
    await journal.prune()
    assert numbers(await journal.events.after((journal.id, 0), 10)) == [1, 2]


async def test_to_forget_takes_no_longer_the_more_is_kept(journal):
    session = await journal.add_session(a_session(), QUEUED)
    steps = 0

    def step():
        nonlocal steps
        steps += 1

    journal._file.connection.set_progress_handler(step, 1)
    taken = []
    for _ in range(2):
        await journal.events.after((journal.id, await journal.events.newest()), 1)
        steps = 0
        await journal.prune()
        taken.append(steps)
        await journal.append(session.id, *[PhaseChanged(phase=Phase.SCANNING)] * 1000)
    assert 0 < taken[1] < taken[0] + 500, taken


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


async def test_what_a_collector_receives_of_others_is_bounded(journal):
    session = await journal.add_session(a_session(), QUEUED)
    await journal.append(session.id, *(found(line, 60_000) for line in range(1, 10)))
    assert len(await journal.events.found(session.id, {"host"}, {"network"})) == 9
    await journal.append(session.id, *(found(line, 60_000) for line in range(10, 20)))
    with pytest.raises(ConfigError, match="819200 bytes"):
        await journal.events.found(session.id, {"host"}, {"network"})
