from functools import partial
from uuid import uuid4

import pytest
import stage as stage_module

from dryrun_contract.session import Outcome, SessionRequest
from dryrun_contract.trace_context import TraceContext, request_of
from dryrun_orchestrator.running.supervisor import Supervisor
from dryrun_serving.tracing import client_span

CALLER = TraceContext(0xABC, 0xDEF)


@pytest.fixture
def recording(monkeypatch):
    """Let supervisors that begin from now on record their spans in the returned list."""

    def begin():
        spans = []
        monkeypatch.setattr(stage_module, "Supervisor", partial(Supervisor, record=spans.append))
        return spans

    return begin


async def test_a_session_and_its_phases_are_spans_of_the_trace_that_requests_it(stage, recording):
    spans = recording()
    session_id = uuid4()
    async with stage.running() as supervisor:
        await supervisor.put(session_id, SessionRequest(template="two"), "ada", CALLER)
        await stage.ended(session_id)
        await stage.eventually(lambda: spans and spans[-1].name == "session")
    names = [span.name for span in spans]
    phases = ("queued", "provisioning", "waiting", "scanning", "cleaning_up")
    assert names == [*(f"phase {phase}" for phase in phases), "session"]
    session = spans[-1]
    assert (session.parent, session.context.trace_id) == (CALLER, CALLER.trace_id)
    assert {span.parent for span in spans[:-1]} == {session.context}
    assert session.attributes == {
        "dryrun.session.id": str(session_id),
        "dryrun.session.template": "two",
        "dryrun.session.seed": 0,
        "dryrun.session.outcome": "completed",
    }
    assert not session.failed
    assert [span.end for span in spans[:-1]] == [*(span.begin for span in spans[1:-1]), session.end]


async def test_a_call_is_a_child_of_the_phase_that_makes_it(stage, recording, monkeypatch):
    spans = recording()
    create, start = stage.engine.create_network, stage.engine.start_container

    async def create_network(spec):
        with client_span("create", {}):
            return await create(spec)

    async def start_container(identity):
        with client_span("start", {}):
            await start(identity)

    monkeypatch.setattr(stage.engine, "create_network", create_network)
    monkeypatch.setattr(stage.engine, "start_container", start_container)
    session_id = uuid4()
    async with stage.running() as supervisor:
        await supervisor.put(session_id, SessionRequest(template="two"), "ada", CALLER)
        await stage.eventually(lambda: spans and spans[-1].name == "session")
    phases = {span.context: span.name.removeprefix("phase ") for span in spans}
    assert [phases[span.parent] for span in spans if span.name == "create"] == ["provisioning"]
    started = {phases[span.parent] for span in spans if span.name == "start"}
    assert started == {"provisioning", "waiting", "scanning"}


async def test_the_trace_goes_on_in_the_next_process_and_the_first_request_counts(stage, recording):
    lives = []
    session_id = uuid4()
    for caller in (None, CALLER):
        lives.append(recording())
        async with stage.running() as supervisor:
            await supervisor.put(session_id, SessionRequest(template="two"), "ada", caller)
            if caller is None:
                await stage.until(session_id, "waiting")
                await stage.eventually(lambda: lives[0])
            else:
                assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
                await stage.eventually(lambda: lives[1] and lives[1][-1].name == "session")
    first, second = lives
    session = second[-1]
    assert (session.parent, session.context) == (None, request_of(session_id).child("session"))
    assert {span.parent for span in (*first, *second[:-1])} == {session.context}
    # What a killed process had sent of a phase finds the span that the next one records.
    for span in (*first, *second[:-1]):
        assert span.context == session.context.child(span.name.removeprefix("phase "))
    assert {span.name for span in first}.isdisjoint({span.name for span in second})
