import json
from uuid import UUID, uuid4

from sqlalchemy import text

from dryrun_contract.event import PhaseChanged, SessionEnded
from dryrun_contract.problem import Problem, problem_type
from dryrun_contract.session import Outcome, Phase

BOB = "Bearer another-token-of-the-tests"


async def test_starting_stores_the_session_and_asks_the_orchestrator_as_the_caller(api, orchestrator):
    answer = await api.post(
        "/sessions", json={"template": "small", "seed": 7, "keep": True}, headers={"X-Request-Id": "req-1"}
    )

    assert answer.status_code == 201
    session = answer.json()
    assert answer.headers["location"] == f"/api/v1/dryrun/sessions/{session['id']}"
    assert answer.headers["x-request-id"] == "req-1"
    assert session["requested_by"] == "program:ada"
    assert session["accepted_at"] is not None
    assert (session["phase"], session["seed"], session["keep"]) == ("queued", 7, True)
    asked = next(request for request in orchestrator.requests if request.url.path == "/templates/small")
    assert asked.url.params["seed"] == "7", (
        "what is stored and scored is what this seed makes of the template"
    )
    put = next(request for request in orchestrator.requests if request.method == "PUT")
    assert put.url.path == f"/sessions/{session['id']}"
    assert (put.headers["x-actor"], put.headers["x-request-id"]) == ("program:ada", "req-1")


async def test_a_session_says_why_its_cleanup_is_stuck_until_it_ends(api, orchestrator, eventually):
    session_id = await api.start()

    async def reason_is(reason):
        async def is_it():
            return (await api.get(f"/sessions/{session_id}")).json()["reason"] == reason

        await eventually(is_it)

    for reason in ("somebody stopped it", "not everything is removed yet", None):
        orchestrator.tell(UUID(session_id), PhaseChanged(phase=Phase.CLEANING_UP, reason=reason))
    await reason_is("not everything is removed yet")
    page = await api.client.get(f"/dryrun/sessions/{session_id}", headers={"Accept": "text/html"})
    assert "not everything is removed yet" in page.text
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.STOPPED, reason="somebody stopped it"))
    await reason_is("somebody stopped it")


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


async def test_an_unknown_template_is_the_orchestrators_problem_and_stores_nothing(api):
    answer = await api.post("/sessions", json={"template": "huge"})
    assert answer.status_code == 404
    problem = Problem.model_validate(answer.json())
    assert problem.type == "urn:dryrun:problem:unknown-template"
    assert "small" in problem.detail
    assert problem.instance == "/api/v1/dryrun/sessions"
    assert (await api.get("/sessions")).json()["sessions"] == []


CHOICE = {"collectors": ["network"], "profile": "full", "max_rate": 500}


async def test_a_chosen_scan_is_stored_shown_and_passed_on_with_the_template_it_makes(api, orchestrator):
    answer = await api.post("/sessions", json={"template": "small", "scan": CHOICE})
    assert (answer.status_code, answer.json()["scan"]) == (201, CHOICE)
    asked = next(request for request in orchestrator.requests if request.url.path == "/templates/small")
    assert json.loads(asked.url.params["scan"]) == CHOICE
    put = next(request for request in orchestrator.requests if request.method == "PUT")
    assert json.loads(put.content)["scan"] == CHOICE
    (listed,) = (await api.get("/sessions")).json()["sessions"]
    assert listed["scan"] == CHOICE
    page = (
        await api.client.get(f"/dryrun/sessions/{answer.json()['id']}", headers={"Accept": "text/html"})
    ).text
    assert f"at most {CHOICE['max_rate']} packets/s from each collector" in page


async def test_only_ids_and_numbers_are_accepted(api, orchestrator):
    scan = {"collectors": ["../x", "a" * 41], "profile": "loud", "max_rate": 0, "arguments": ["-sV"]}
    wanted = {"template": "small", "image": "evil", "seed": 10000, "scan": scan}
    answer = await api.post("/sessions", json=wanted)
    assert answer.status_code == 422
    assert {fault["where"] for fault in answer.json()["faults"]} == {
        "body.image",
        "body.seed",
        "body.scan.arguments",
        "body.scan.collectors.0",
        "body.scan.collectors.1",
        "body.scan.max_rate",
        "body.scan.profile",
    }
    assert not [request for request in orchestrator.requests if request.method == "PUT"]


async def test_an_unreachable_orchestrator_is_a_503_and_stores_nothing(api, orchestrator):
    orchestrator.down = True
    answer = await api.post("/sessions", json={"template": "small"})
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:dryrun:problem:orchestrator-unavailable"
    assert answer.headers["retry-after"] == "5"
    assert (await api.get("/sessions")).json()["sessions"] == []


async def test_a_refused_start_is_passed_on_and_the_session_has_the_reason(api, orchestrator):
    orchestrator.refuses_puts = Problem(
        type=problem_type("template-invalid"), title="No", status=422, detail="its image is missing"
    )
    answer = await api.post("/sessions", json={"template": "small"})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:dryrun:problem:template-invalid")
    (session,) = (await api.get("/sessions")).json()["sessions"]
    assert (session["phase"], session["outcome"]) == ("ended", "failed")
    assert session["reason"] == "its image is missing"


async def test_stopping_asks_the_orchestrator_as_the_caller(api, orchestrator):
    session_id = await api.start()
    answer = await api.post(f"/sessions/{session_id}/stop", headers={"Authorization": BOB})
    assert answer.status_code == 202
    assert answer.json()["id"] == session_id
    (stop,) = [request for request in orchestrator.requests if request.url.path.endswith("/stop")]
    assert stop.url.path == f"/sessions/{session_id}/stop"
    assert stop.headers["x-actor"] == "program:bob"


async def test_stopping_an_ended_session_returns_it_unchanged(api, orchestrator, eventually):
    session_id = await api.start()
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED))

    async def ended():
        return (await api.get(f"/sessions/{session_id}")).json()["phase"] == "ended"

    await eventually(ended)
    orchestrator.down = True
    answer = await api.post(f"/sessions/{session_id}/stop")
    assert (answer.status_code, answer.json()["outcome"]) == (202, "completed")


async def test_stopping_without_an_orchestrator_is_a_503(api, orchestrator):
    session_id = await api.start()
    orchestrator.down = True
    assert (await api.post(f"/sessions/{session_id}/stop")).status_code == 503


async def test_sessions_are_paged_newest_first_without_gap_or_repetition(api):
    started = [await api.start(seed=number) for number in range(5)]
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/sessions", params=params)).json()
        seen += [session["id"] for session in page["sessions"]]
        await api.start()  # what comes meanwhile shifts nothing
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == started[::-1]


async def test_a_foreign_cursor_is_a_fault(api):
    for cursor in ("x", "e30", "WzFd", "WzEsIDJd", "WyJhIiwgImIiXQ", "é"):
        answer = await api.get("/sessions", params={"cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["faults"][0]["where"] == "query.cursor"


async def test_an_unknown_session_is_a_404_everywhere(api):
    for method, path in (
        ("GET", ""),
        ("POST", "/stop"),
        ("GET", "/discoveries"),
        ("GET", "/report"),
        ("GET", "/events"),
    ):
        answer = await api.client.request(method, f"/api/v1/dryrun/sessions/{uuid4()}{path}")
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:dryrun:problem:unknown-session"


async def test_a_very_long_reason_is_cut(api, engine, eventually):
    session_id = await api.start()

    async def queued():
        async with engine.connect() as connection:
            return (await connection.execute(text("SELECT 1 FROM gateway.dryrun_events"))).first()

    # Its first event clears the reason.
    await eventually(queued)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.dryrun_sessions SET reason = repeat('x', 4000000)"))
    assert len((await api.get(f"/sessions/{session_id}")).json()["reason"]) == 2000
    assert len((await api.get("/sessions")).content) < 10_000
    assert len((await api.client.get(f"/dryrun/sessions/{session_id}")).content) < 100_000
