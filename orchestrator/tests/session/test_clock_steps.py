"""Somebody sets this machine's clock while sessions run: no deadline moves away, and none is lost."""

import asyncio
from datetime import datetime, timedelta

import pytest
from engine_in_memory.engine import FakeEngine, FakeImage
from prepared_sessions import claim, ready
from stage import NETWORK, Stage, images

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import clock
from dryrun_orchestrator.journal.errors import JournalReadError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.running import running_sessions
from dryrun_orchestrator.running import supervisor as supervisor_module

HOUR = timedelta(hours=1)
SESSION_SECONDS = 5
ENDED_WITHIN_SECONDS = 15
"""On a busy machine; a deadline that had followed the clock would be an hour away."""


class WallClock:
    """Stands in for the machine's: `set` sets it forward, or back."""

    def __init__(self, monkeypatch):
        self._ahead = timedelta(0)
        of_this_test = self

        class SetTime(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + of_this_test._ahead

        monkeypatch.setattr(clock, "datetime", SetTime)

    def set(self, by):
        self._ahead += by


@pytest.fixture
def wall(monkeypatch):
    return WallClock(monkeypatch)


@pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.WAITING, Phase.SCANNING, Phase.KEPT])
async def test_a_clock_set_back_in_any_phase_prolongs_no_session(stage, wall, phase):
    stage.changes["session_seconds"] = SESSION_SECONDS
    async with stage.running():
        session_id = await stage.start(keep=True)
        await stage.until(session_id, phase)
        await stage.until_stored(session_id, "network_created")
        wall.set(-HOUR)
        async with asyncio.timeout(ENDED_WITHIN_SECONDS):
            session = await stage.ended(session_id)
        assert session.outcome is Outcome.EXPIRED
        assert "its time was up" in session.reason
        assert not stage.left(session_id)


async def test_a_clock_set_back_while_nobody_served_prolongs_a_session_by_its_own_length_at_most(stage, wall):
    stage.changes["session_seconds"] = SESSION_SECONDS
    async with stage.running():
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
    wall.set(-HOUR)
    async with stage.running():
        async with asyncio.timeout(ENDED_WITHIN_SECONDS):
            session = await stage.ended(session_id)
        assert session.outcome is Outcome.EXPIRED
        assert not stage.left(session_id)


async def test_a_clock_set_back_while_a_session_is_prepared_prolongs_nothing_for_whoever_claims_it(
    stage, wall, monkeypatch
):
    monkeypatch.setattr(supervisor_module, "REREAD_SECONDS", 0.05)
    stage.changes |= {"session_seconds": SESSION_SECONDS, "pool_least_seconds": 1}
    stage.changes |= {"pool": "two=1", "pool_spare_memory": 0}
    async with stage.running():
        (session_id,) = await ready(stage)
        wall.set(-HOUR)
        await claim(stage, session_id, keep=True)
        async with asyncio.timeout(ENDED_WITHIN_SECONDS):
            session = await stage.ended(session_id)
        assert (session.outcome, session.prepared_at is not None) == (Outcome.EXPIRED, True)
        assert not stage.left(session_id)


async def test_a_loop_that_begins_anew_knows_what_the_one_before_saw_of_the_clock(stage, monkeypatch):
    monkeypatch.setattr(running_sessions, "LOOP_RETRY_SECONDS", 0.05)
    async with stage.running() as supervisor:
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
        before = supervisor._running[session_id]
        read, failed = Journal.session, []

        async def fail_once(journal, wanted):
            if not failed:
                failed.append(wanted)
                raise JournalReadError("the journal cannot be read: disk I/O error")
            return await read(journal, wanted)

        monkeypatch.setattr(Journal, "session", fail_once)
        after = await stage.eventually(
            lambda: [c for c in [supervisor._running.get(session_id)] if c not in (None, before)]
        )
        assert after[0].deadline is before.deadline


async def test_a_clock_set_forward_ends_a_session_and_leaves_nothing(stage, wall):
    async with stage.running():
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
        wall.set(HOUR)
        async with asyncio.timeout(ENDED_WITHIN_SECONDS):
            session = await stage.ended(session_id)
        assert session.outcome is Outcome.EXPIRED
        assert not stage.left(session_id)


async def test_a_clock_set_back_while_nobody_served_gives_no_collector_more_than_its_time(tmp_path, wall):
    async with FakeEngine(images()) as engine:
        stage = Stage(tmp_path, engine)
        stage.timeouts["network"] = 1
        stage.engine.images[NETWORK] = FakeImage()
        async with stage.running():
            session_id = await stage.start()
            await stage.until_stored(session_id, "collector_started")
        wall.set(-HOUR)
        async with stage.running(), asyncio.timeout(ENDED_WITHIN_SECONDS):
            await stage.until_stored(session_id, "collector_ended")
            (ended, *_) = await stage.events_of(session_id, "collector_ended")
            assert ended.reason.startswith("it did not end within 1 s")
            await stage.ended(session_id)
