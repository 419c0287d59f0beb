"""A journal that cannot be written, mostly for want of space, ends no process: it would not start again."""

import asyncio
import sqlite3

import pytest

from dryrun_contract.session import Outcome
from dryrun_orchestrator import supervisor
from dryrun_orchestrator.catalog.installed import OperatorFiles
from dryrun_orchestrator.journal.errors import JournalWriteError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.placing import Placing
from dryrun_orchestrator.reaper import Reaper


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(supervisor, "LOOP_RETRY_SECONDS", 0.05)


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
        stage.journal._connection.execute("PRAGMA busy_timeout=0")
        other = sqlite3.connect(stage.settings.state_dir / "journal.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await stage.eventually(lambda: "database is locked" in caplog.text)
        other.close()
        assert (await stage.ended(await stage.start())).outcome is Outcome.COMPLETED
