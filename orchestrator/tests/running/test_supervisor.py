"""A journal that cannot be written, mostly for want of space, ends no process: it would not start again."""

import asyncio
import contextlib
import sqlite3

import pytest
from engine_in_memory.engine import FakeImage
from prepared_sessions import claim, ready
from stage import NETWORK

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.catalog.installed import OperatorFiles
from dryrun_orchestrator.hosts.reaper import Reaper
from dryrun_orchestrator.journal.errors import JournalWriteError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.running import running_sessions, supervisor
from dryrun_orchestrator.running.placing import Placing
from dryrun_orchestrator.session import loop


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    for module in (supervisor, running_sessions):
        monkeypatch.setattr(module, "LOOP_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(loop, "MAX_PAUSE_SECONDS", 0.05)


FULL = JournalWriteError("the journal cannot be written: full")


def failing_twice(monkeypatch, owner, name):
    """Let two calls fail; return the list of those that have."""
    failure = PermissionError("cannot be written: full") if owner is OperatorFiles else FULL
    whole = getattr(owner, name)
    failed = []

    def call(*arguments):
        if len(failed) < 2:
            failed.append(name)
            raise failure
        return whole(*arguments)

    monkeypatch.setattr(owner, name, call)
    return failed


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Journal, "prune"),
        (Placing, "admitted"),
        (Reaper, "round"),
        (OperatorFiles, "forget"),
    ],
)
async def test_what_it_cannot_store_is_tried_again(stage, monkeypatch, caplog, owner, name):
    failed = failing_twice(monkeypatch, owner, name)
    async with stage.running(), asyncio.timeout(10):
        session = await stage.ended(await stage.start())
        assert session.outcome is Outcome.COMPLETED
        await stage.eventually(lambda: len(failed) == 2)
    assert "cannot be written: full" in caplog.text


async def test_a_journal_that_another_program_holds_ends_nothing(stage, caplog):
    async with stage.running(), asyncio.timeout(10):
        stage.journal._file.connection.execute("PRAGMA busy_timeout=0")
        other = sqlite3.connect(stage.settings.state_dir / "journal.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await stage.eventually(lambda: "database is locked" in caplog.text)
        other.close()
        assert (await stage.ended(await stage.start())).outcome is Outcome.COMPLETED


@pytest.fixture
def full(monkeypatch):
    """Return what fills the disk: no change of a session is stored within."""

    @contextlib.contextmanager
    def filling():
        async def fails(*_):
            raise FULL

        with monkeypatch.context() as patched:
            patched.setattr(Journal, "_write", fails)
            yield

    return filling


@pytest.mark.parametrize("keep", [True, False])
async def test_a_full_disk_keeps_no_session_from_being_stopped_and_removed(stage, full, keep):
    stage.engine.images[NETWORK] = FakeImage(exit_after=60)
    async with stage.running(), asyncio.timeout(20):
        session_id = await stage.start(keep=keep)
        await stage.until(session_id, Phase.SCANNING)
        with full():
            assert (await stage.supervisor.stop(session_id)).phase is Phase.SCANNING
            await stage.eventually(lambda: not stage.left(session_id))
        session = await stage.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.STOPPED, "stopped on request")


async def test_a_full_disk_keeps_no_session_beyond_its_deadline(stage, full):
    stage.engine.images[NETWORK] = FakeImage(exit_after=60)
    stage.changes["session_seconds"] = 5
    async with stage.running(), asyncio.timeout(20):
        session_id = await stage.start()
        await stage.until(session_id, Phase.SCANNING)
        with full():
            await stage.eventually(lambda: not stage.left(session_id))
        assert (await stage.ended(session_id)).outcome is Outcome.EXPIRED


@pytest.mark.parametrize("name", ["put_target", "put_run"])
async def test_a_disk_that_is_full_for_a_moment_costs_no_session(stage, monkeypatch, name):
    failed = failing_twice(monkeypatch, Journal, name)
    async with stage.running(), asyncio.timeout(20):
        session = await stage.ended(await stage.start())
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert len(failed) == 2


async def test_a_session_that_waits_is_not_stopped_without_a_record_of_it(stage, full):
    stage.changes["sessions_at_once"] = 1
    async with stage.running() as supervisor, asyncio.timeout(20):
        await stage.until(await stage.start(keep=True), Phase.KEPT)
        waiting = await stage.start()
        with full(), pytest.raises(JournalWriteError):
            await supervisor.stop(waiting)
        await supervisor.stop(waiting)
        assert (await stage.ended(waiting)).outcome is Outcome.STOPPED


async def test_a_session_that_cannot_begin_fills_no_log_with_tracebacks(stage, full, caplog):
    async with stage.running(), asyncio.timeout(20):
        session_id = await stage.start()
        with full():
            await stage.eventually(lambda: caplog.text.count("written: full; trying again") > 3)
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
    assert "Traceback" not in caplog.text


async def test_what_ended_long_ago_is_not_read_again_for_each_step_of_a_session(stage, monkeypatch):
    """Thousands of rows hold the event loop up, and with it what is due, for a quarter of a second."""

    async def read_all(_):
        raise AssertionError("all sessions are read")

    monkeypatch.setattr(Journal, "sessions", read_all)
    monkeypatch.setattr(supervisor, "REREAD_SECONDS", 0.05)
    stage.changes |= {"pool": "two=1", "pool_spare_memory": 0}
    async with stage.running():
        (prepared,) = await ready(stage)
        await claim(stage, prepared)
        for session_id in (prepared, await stage.start()):
            assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
