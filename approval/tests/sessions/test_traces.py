import pytest
from sqlalchemy import text

from approval_api.orchestrator.client import Asker
from approval_api.sessions.admission import Limits
from approval_api.sessions.service import start, stop
from dryrun_contract.session import SessionRequest
from dryrun_contract.trace_context import request_of


@pytest.mark.parametrize("event_comes_first", [False, True])
async def test_a_sessions_request_is_the_root_of_its_trace_and_the_orchestrator_receives_it(
    engine, orchestrator, orchestrator_client, monkeypatch, event_comes_first
):
    spans = []
    orchestrator_client.record_span = spans.append
    put_session = orchestrator_client.put_session

    async def overtaken(*given):
        answered = await put_session(*given)
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE gateway.dryrun_sessions SET phase = 'queued', accepted_at = now()")
            )
        return answered

    if event_comes_first:
        monkeypatch.setattr(orchestrator_client, "put_session", overtaken)
    wanted = SessionRequest(template="small", seed=3)
    asker = Asker("ada", "req-1")
    session = await start(engine, orchestrator_client, wanted, asker, Limits(10, 10, 10, 10))
    await stop(engine, orchestrator_client, session.id, asker)
    put, root, stopped = spans
    assert (root.name, root.context, root.parent) == ("session requested", request_of(session.id), None)
    assert (put.name, put.parent) == ("PUT /sessions/{id}", root.context)
    assert (stopped.name, stopped.parent) == ("POST /sessions/{id}/stop", root.context)
    passed_on = [each.headers.get("traceparent") for each in orchestrator.requests if each.method != "GET"]
    assert passed_on == [put.context.header(), stopped.context.header()]
    assert set(root.attributes) == {"dryrun.session.id", "dryrun.session.template", "dryrun.session.seed"}


async def test_a_service_that_exports_nothing_passes_no_trace_to_the_orchestrator(api, orchestrator):
    # A client cannot choose a trace either.
    theirs = {"traceparent": f"00-{1:032x}-{1:016x}-01"}
    answer = await api.post("/sessions", json={"template": "small"}, headers=theirs)
    assert answer.status_code == 201
    put = next(request for request in orchestrator.requests if request.method == "PUT")
    assert "traceparent" not in put.headers
