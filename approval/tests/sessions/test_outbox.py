"""Starts and stops of which no answer came: the outbox asks again until there is one."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from followed_api import stop_following
from sqlalchemy import text

from approval_api.follower.repository import store_events
from approval_api.orchestrator.errors import OrchestratorRefusedError
from approval_api.sessions import outbox
from approval_api.sessions.outbox import Outbox
from dryrun_contract.event import SessionEnded
from dryrun_contract.problem import Problem, problem_type
from dryrun_contract.session import Outcome

BOB = "Bearer another-token-of-the-tests"


async def outbox_round(api):
    state = api.app.state
    once = Outbox(state.engine, state.orchestrator, timedelta(seconds=300), state.limits, state.metrics)
    await once.work_once(older_than=timedelta(0))


@pytest.mark.parametrize(
    ("status", "name", "detail"),
    [
        (503, "ending", "this service has failed and ends; try again in a moment"),
        (503, "too-many-bodies", "too many bodies are being read; send this one again in a moment"),
        (429, "too-many-connections", "this address has too many connections open; close some"),
        (408, "body-too-slow", "a body arrives within 5 s; send it again"),
    ],
    ids=["ending", "bodies", "connections", "slow"],
)
async def test_an_orchestrator_that_has_too_much_to_do_or_ends_fails_no_start(
    api, orchestrator, status, name, detail
):
    orchestrator.refuses_puts = Problem(type=problem_type(name), title="No", status=status, detail=detail)
    answer = await api.post("/sessions", json={"template": "small"})
    assert answer.status_code == 201
    session = answer.json()
    assert (session["phase"], session["outcome"]) == ("requested", None)
    assert f"{status}: {detail}" in session["reason"]
    assert "trying again" in session["reason"]
    orchestrator.refuses_puts = None
    await outbox_round(api)
    session = (await api.get(f"/sessions/{session['id']}")).json()
    assert session["phase"] != "requested"
    assert session["accepted_at"] is not None


async def test_a_start_whose_answer_was_lost_stays_requested_until_the_outbox_retries(api, orchestrator):
    orchestrator.longest_wait = 0
    orchestrator.loses_put_answers = True
    await stop_following(api)
    answer = await api.post("/sessions", json={"template": "small"})
    assert answer.status_code == 201
    session = answer.json()
    assert (session["phase"], session["accepted_at"]) == ("requested", None)
    assert "trying again" in session["reason"]
    orchestrator.loses_put_answers = False
    await outbox_round(api)
    session = (await api.get(f"/sessions/{session['id']}")).json()
    assert (session["phase"], session["reason"]) == ("queued", None)
    assert len(orchestrator.sessions) == 1
    puts = [request for request in orchestrator.requests if request.method == "PUT"]
    assert {put.headers["x-actor"] for put in puts} == {"program:ada"}


async def test_an_event_replaces_a_lost_answer(api, orchestrator, eventually):
    orchestrator.loses_put_answers = True
    session_id = await api.start()

    async def accepted():
        session = (await api.get(f"/sessions/{session_id}")).json()
        return session["phase"] == "queued" and session["accepted_at"] and session["reason"] is None

    await eventually(accepted)


async def test_a_start_that_is_never_answered_fails_with_a_reason(api, orchestrator):
    orchestrator.loses_put_answers = True
    await stop_following(api)
    session_id = await api.start()
    state = api.app.state
    once = Outbox(state.engine, state.orchestrator, timedelta(0), state.limits, state.metrics)
    await once.work_once(timedelta(0))
    session = (await api.get(f"/sessions/{session_id}")).json()
    assert (session["phase"], session["outcome"]) == ("ended", "failed")
    assert "did not accept the session" in session["reason"]


async def test_a_start_that_raises_holds_up_no_other(api, orchestrator, monkeypatch):
    orchestrator.loses_put_answers = True
    await stop_following(api)
    broken, other = await api.start(), await api.start()
    orchestrator.loses_put_answers = False
    asked = outbox.hand_over

    async def hand_over(engine, client, session_id, *rest):
        if str(session_id) == broken:
            raise KeyError("of the program's own")
        await asked(engine, client, session_id, *rest)

    monkeypatch.setattr(outbox, "hand_over", hand_over)
    await outbox_round(api)
    assert (await api.get(f"/sessions/{broken}")).json()["accepted_at"] is None
    assert (await api.get(f"/sessions/{other}")).json()["accepted_at"] is not None


async def test_a_start_that_another_version_stored_holds_up_no_other(api, orchestrator):
    orchestrator.loses_put_answers = True
    await stop_following(api)
    broken, other = await api.start(), await api.start()
    orchestrator.loses_put_answers = False
    async with api.app.state.engine.begin() as connection:
        newer = text("""UPDATE gateway.dryrun_sessions SET scan = scan || '{"newer": 1}' WHERE id = :id""")
        await connection.execute(newer, {"id": broken})
    await outbox_round(api)
    assert (await api.get(f"/sessions/{other}")).json()["accepted_at"] is not None


async def test_the_outbox_notes_a_refusal(api, orchestrator):
    orchestrator.loses_put_answers = True
    await stop_following(api)
    session_id = await api.start()
    orchestrator.refuses_puts = Problem(
        type=problem_type("unknown-template"), title="No", status=404, detail="gone"
    )
    await outbox_round(api)
    session = (await api.get(f"/sessions/{session_id}")).json()
    assert (session["outcome"], session["reason"]) == ("failed", "gone")


async def test_a_session_that_was_never_accepted_stops_at_once_and_stays_stopped(api, orchestrator):
    orchestrator.loses_put_answers = True
    await stop_following(api)
    session_id = await api.start()
    orchestrator.sessions.clear()
    answer = await api.post(f"/sessions/{session_id}/stop")
    assert (answer.json()["phase"], answer.json()["outcome"]) == ("ended", "stopped")
    await outbox_round(api)
    assert orchestrator.sessions == {}


def stops(orchestrator):
    return [request for request in orchestrator.requests if request.url.path.endswith("/stop")]


async def test_a_stop_during_which_the_start_arrives_is_repeated(api, orchestrator, monkeypatch):
    orchestrator.loses_put_answers = True
    await stop_following(api)
    session_id = await api.start()
    taken = orchestrator.sessions.pop(UUID(session_id))
    client = api.app.state.orchestrator
    ask = client.stop_session

    async def overtaken(stopped_id, asker):
        try:
            return await ask(stopped_id, asker)
        except OrchestratorRefusedError:
            orchestrator.sessions[stopped_id], orchestrator.loses_put_answers = taken, False
            await outbox_round(api)
            raise

    monkeypatch.setattr(client, "stop_session", overtaken)
    answer = await api.post(f"/sessions/{session_id}/stop", headers={"Authorization": BOB})
    assert (answer.status_code, answer.json()["phase"]) == (202, "queued")
    assert [stop.headers["x-actor"] for stop in stops(orchestrator)] == ["program:bob", "program:bob"]


async def test_a_session_stopped_before_its_start_arrived_is_stopped_once_it_runs(api, orchestrator):
    orchestrator.loses_put_answers = True
    await stop_following(api)
    session_id = await api.start()
    taken = orchestrator.sessions.pop(UUID(session_id))
    stopped = (await api.post(f"/sessions/{session_id}/stop", headers={"Authorization": BOB})).json()
    assert (stopped["phase"], stopped["outcome"]) == ("ended", "stopped")
    orchestrator.sessions[UUID(session_id)] = taken
    async with api.app.state.engine.begin() as connection:
        await store_events(connection, orchestrator.log)
    begun = (await api.get(f"/sessions/{session_id}")).json()
    assert (begun["phase"], begun["ended_at"]) == ("queued", None)
    orchestrator.requests.clear()
    await outbox_round(api)
    (stop,) = stops(orchestrator)
    assert stop.url.path == f"/sessions/{session_id}/stop"
    ended = orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.STOPPED, reason="asked to"))
    async with api.app.state.engine.begin() as connection:
        await store_events(connection, [ended])
    await outbox_round(api)
    assert len(stops(orchestrator)) == 1
    assert (await api.get(f"/sessions/{session_id}")).json()["reason"] == "asked to"


async def test_a_retried_start_keeps_its_choice(api, orchestrator):
    orchestrator.longest_wait = 0
    orchestrator.loses_put_answers = True
    await stop_following(api)
    chosen = {"collectors": ["network"], "profile": "full", "max_rate": 500}
    await api.post("/sessions", json={"template": "small", "scan": chosen})
    orchestrator.loses_put_answers = False
    await outbox_round(api)
    first, again = [request for request in orchestrator.requests if request.method == "PUT"]
    assert first.content == again.content
    assert json.loads(again.content)["scan"] == chosen
