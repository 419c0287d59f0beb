from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest

from dryrun_orchestrator.journal.records import RunRecord
from dryrun_orchestrator.session.collector_lines import said
from dryrun_orchestrator.session.context import KindsFound
from dryrun_orchestrator.session.line_queue import NumberedLine
from dryrun_orchestrator.session.stored_run import MAX_WARNING_EVENTS, StoredRun, given_up


class Journal:
    """Keeps what was stored."""

    def __init__(self):
        self.stored = []

    async def put_run(self, _session_id, run, *events):
        self.stored.append((run, events))

    @property
    def events(self):
        return [event for _, events in self.stored for event in events]


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def run(journal):
    context = SimpleNamespace(id=uuid4(), journal=journal, kinds=KindsFound())
    return StoredRun(
        context, RunRecord(collector="network", run="r", state="running", started_at=datetime.now(UTC))
    )


def numbered(*lines, first=1):
    return [NumberedLine(number, said(line.encode())) for number, line in enumerate(lines, first)]


HOST = '{"type": "discovery", "kind": "host", "key": "10.1.0.1"}'


async def test_a_line_that_is_stored_is_not_stored_again(journal, run):
    await run.add(numbered(HOST, HOST))
    await run.add(numbered(HOST, HOST, HOST))
    await run.add(numbered(HOST, HOST, HOST))
    assert [event.line for event in journal.events] == [1, 2, 3]
    assert (run.record.lines, run.record.discoveries, len(journal.stored)) == (3, 3, 2)


async def test_warnings_beyond_their_bound_are_counted_and_not_reported(journal, run):
    warning = '{"type": "warning", "message": "no answer"}'
    await run.add(numbered(*[warning] * (MAX_WARNING_EVENTS + 20)))
    assert len(journal.events) == MAX_WARNING_EVENTS
    assert given_up(run.record, "its time was up").warnings == MAX_WARNING_EVENTS + 20


async def test_the_last_step_is_reported_at_once_and_once(journal, run):
    steps = [f'{{"type": "progress", "done": {done}, "total": 3}}' for done in (1, 2, 3, 3, 3)]
    await run.add(numbered(*steps))
    assert [event.done for event in journal.events] == [1, 3]
