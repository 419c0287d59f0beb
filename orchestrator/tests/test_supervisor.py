"""A journal that cannot be written, mostly for want of space, ends no process: it would not start again."""

import asyncio

import pytest

from dryrun_contract.session import Outcome
from dryrun_orchestrator import supervisor
from dryrun_orchestrator.journal.errors import JournalWriteError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.placing import Placing


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(supervisor, "LOOP_RETRY_SECONDS", 0.05)


def failing_twice(monkeypatch, owner, name):
    """Let two calls fail; return the list of those that have."""
    whole = getattr(owner, name)
    failed = []

    def call(*arguments):
        if len(failed) < 2:
            failed.append(name)
            raise JournalWriteError("the journal cannot be written: full")
        return whole(*arguments)

    monkeypatch.setattr(owner, name, call)
    return failed


@pytest.mark.parametrize(("owner", "name"), [(Journal, "prune"), (Placing, "admitted")])
async def test_what_it_cannot_store_is_tried_again(stage, monkeypatch, caplog, owner, name):
    failed = failing_twice(monkeypatch, owner, name)
    async with stage.running(), asyncio.timeout(10):
        session = await stage.ended(await stage.start())
        assert session.outcome is Outcome.COMPLETED
        await stage.eventually(lambda: len(failed) == 2)
    assert "the journal cannot be written: full" in caplog.text
