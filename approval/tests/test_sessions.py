from uuid import UUID

from dryrun_contract.event import PhaseChanged, SessionEnded
from dryrun_contract.session import Outcome, Phase


async def test_starting_stores_the_session_and_asks_the_orchestrator_as_the_caller(api, orchestrator):
    answer = await api.post(
        "/sessions", json={"template": "small", "seed": 7, "keep": True}, headers={"X-Request-Id": "req-1"}
    )

    assert answer.status_code == 201
    session = answer.json()
    assert answer.headers["location"] == f"/api/v1/dryrun/sessions/{session['id']}"
    assert answer.headers["x-request-id"] == "req-1"
    assert session["requested_by"] == "ada"
    assert session["accepted_at"] is not None
    assert (session["phase"], session["seed"], session["keep"]) == ("queued", 7, True)
    put = next(request for request in orchestrator.requests if request.method == "PUT")
    assert put.url.path == f"/sessions/{session['id']}"
    assert (put.headers["x-actor"], put.headers["x-request-id"]) == ("ada", "req-1")


async def test_the_session_follows_the_orchestrators_events(api, orchestrator, eventually):
    session_id = await api.start()
    orchestrator.tell(UUID(session_id), PhaseChanged(phase=Phase.SCANNING))

    async def scanning():
        return (await api.get(f"/sessions/{session_id}")).json()["phase"] == "scanning"

    await eventually(scanning)
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.EXPIRED, reason="too slow"))

    async def ended():
        session = (await api.get(f"/sessions/{session_id}")).json()
        return session if session["phase"] == "ended" else None

    session = await eventually(ended)
    assert (session["outcome"], session["reason"]) == ("expired", "too slow")
    assert session["ended_at"] is not None
