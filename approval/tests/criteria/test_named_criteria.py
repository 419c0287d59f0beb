"""Criteria by name: stored by operators, kept with what they judge, counted by what started it."""

import asyncio
from uuid import UUID

import pytest
from scripted_session import ScriptedSession, scan_all
from sqlalchemy import text

from approval_api.criteria.service import MOST_SETS
from approval_api.identity.roles import Role
from dryrun_contract.named_criteria import BUILT_IN

STRICT = {"overall": {"recall_min": 1.0}}
LAX = {"overall": {"recall_min": 0.1}}


async def put(api, path, body):
    return await api.client.put(f"/api/v1/dryrun/criteria{path}", json=body)


async def store(api, name, criteria, *, default=False):
    assert (await put(api, f"/sets/{name}", criteria)).status_code == 200
    if default:
        assert (await put(api, "/default", {"name": name})).status_code == 204


async def scored(api, orchestrator, eventually, **wanted):
    """Return the listed session once it has ended and was scored."""
    session_id = await api.start(**wanted)
    ScriptedSession(orchestrator, UUID(session_id)).whole()

    async def is_scored():
        shown = (await api.get(f"/sessions/{session_id}")).json()
        return shown if shown["figures"] else None

    return await eventually(is_scored)


def judged(metrics, verdict, origin="person"):
    return metrics.registry.get_sample_value(
        "approval_sessions_judged_total", {"verdict": verdict, "origin": origin}
    )


async def test_until_somebody_stores_others_sessions_are_judged_by_the_built_in_ones(
    api, orchestrator, eventually
):
    (built_in,) = (await api.get("/criteria/sets")).json()["sets"]
    assert (built_in["name"], built_in["is_default"], built_in["stored_by"]) == (BUILT_IN, True, None)
    assert built_in["criteria"] == (await api.get("/criteria")).json()
    session = await scored(api, orchestrator, eventually)
    assert session["criteria"] == BUILT_IN
    assert session["figures"]["passed"] is False


async def test_the_verdict_follows_from_the_criteria_named_at_the_start(api, orchestrator, eventually):
    await store(api, "lax", LAX)
    await store(api, "strict", STRICT, default=True)
    by_name = await scored(api, orchestrator, eventually, criteria="lax")
    by_default = await scored(api, orchestrator, eventually)
    chosen = [(each["criteria"], each["figures"]["passed"]) for each in (by_name, by_default)]
    assert chosen == [("lax", True), ("strict", False)]
    listed = {each["id"]: each for each in (await api.get("/sessions")).json()["sessions"]}
    assert listed[by_name["id"]] == by_name
    report = (await api.get(f"/sessions/{by_name['id']}/report", params={"judged": "true"})).json()
    assert (report["verdict"]["passed"], report["verdict"]["criteria"]) == (True, "lax")
    assert (await api.get(f"/sessions/{by_name['id']}/report")).json()["verdict"] is None
    for path in ("/", "/dryrun/sessions", f"/dryrun/sessions/{by_name['id']}/report"):
        shown = (await api.client.get(path, headers={"Accept": "text/html"})).text
        assert "lax" in shown


async def test_a_session_keeps_its_criteria_when_they_are_changed_or_removed(api, orchestrator, eventually):
    await store(api, "nightly", LAX, default=True)
    session = await scored(api, orchestrator, eventually)
    await store(api, "nightly", STRICT)
    assert (await api.client.delete("/api/v1/dryrun/criteria/sets/nightly")).status_code == 204
    report = (await api.get(f"/sessions/{session['id']}/report", params={"judged": "true"})).json()
    assert (report["verdict"]["passed"], report["verdict"]["criteria"]) == (True, "nightly")
    assert (await api.get("/criteria/sets")).json()["sets"][0]["is_default"], "the built-in ones again"


async def test_the_orchestrator_learns_no_criteria(api, orchestrator):
    await store(api, "lax", LAX)
    await api.start(criteria="lax")
    (sent,) = [each for each in orchestrator.requests if each.method == "PUT"]
    assert b"criteria" not in sent.content
    assert b"lax" not in sent.content


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("/sets/built-in", LAX, 409, "the criteria of this version"),
        ("/sets/Up", LAX, 422, ""),
        ("/sets/-x", LAX, 422, ""),
        (f"/sets/{'x' * 41}", LAX, 422, ""),
        ("/sets/x", {"overall": {"recal_min": 1}}, 422, ""),
        ("/sets/x", {"kinds": {"hosts": {"recall_min": 1}}}, 422, "did you mean host?"),
        ("/default", {"name": "unknown"}, 404, "there are built-in"),
    ],
)
async def test_what_cannot_be_criteria_is_refused_with_the_reason(api, path, body, status, why):
    answer = await put(api, path, body)
    assert answer.status_code == status
    assert why in answer.text
    assert [each["name"] for each in (await api.get("/criteria/sets")).json()["sets"]] == [BUILT_IN]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sessions", {"template": "small"}),
        ("/experiments", {"name": "x", "templates": ["small"]}),
    ],
)
async def test_a_name_that_nobody_stored_starts_nothing(api, orchestrator, path, body):
    answer = await api.post(path, json=body | {"criteria": "unknown"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:dryrun:problem:unknown-criteria")
    assert orchestrator.sessions == {}
    schedule = {"cron": "30 2 * * *", "experiment": {"name": "x", "templates": ["small"], "criteria": "no"}}
    assert (await api.post("/schedules", json=schedule)).status_code == 404


async def test_the_number_of_sets_is_bounded(api, engine):
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.criteria_sets (name, criteria, stored_by) "
                "SELECT 'c' || n, '{}', 'ada' FROM generate_series(1, :most) n"
            ),
            {"most": MOST_SETS},
        )
    assert (await put(api, "/sets/one-more", LAX)).json()["type"] == "urn:dryrun:problem:too-many-criteria"
    assert (await put(api, "/sets/c7", LAX)).status_code == 200, "one of them may still be replaced"


async def test_criteria_of_another_version_give_no_verdict_and_stop_no_report(
    api, orchestrator, engine, eventually
):
    await store(api, "newer", LAX)
    async with engine.begin() as connection:
        await connection.execute(text("""UPDATE gateway.criteria_sets SET criteria = '{"not_yet": 1}'"""))
    session = await scored(api, orchestrator, eventually, criteria="newer")
    assert session["figures"]["recall"] is not None
    assert session["figures"]["passed"] is None
    report = await api.get(f"/sessions/{session['id']}/report", params={"judged": "true"})
    assert report.json()["verdict"] is None


async def test_criteria_of_another_version_hide_no_others_and_can_be_stored_again(api, engine):
    for name in ("newer", "newest", "own"):
        await store(api, name, LAX)
    async with engine.begin() as connection:
        newer = """UPDATE gateway.criteria_sets SET criteria = '{"not_yet": 1}' WHERE name <> 'own'"""
        await connection.execute(text(newer))
    listed = (await api.get("/criteria/sets")).json()["sets"]
    assert [each["name"] for each in listed] == ["built-in", "own"]
    assert (await api.client.get("/dryrun/criteria", headers={"Accept": "text/html"})).status_code == 200
    shown = await api.get("/criteria/sets/newer")
    assert (shown.status_code, shown.json()["type"]) == (503, "urn:dryrun:problem:unreadable")
    assert "another version stored the criteria newer" in shown.json()["detail"]
    assert (await put(api, "/sets/newer", LAX)).status_code == 200


async def test_each_ended_session_is_counted_once_by_its_verdict(api, orchestrator, engine, eventually):
    metrics = api.app.state.metrics
    assert judged(metrics, "failed", "schedule") == 0, "an alert sees the first one"
    await store(api, "lax", LAX)
    session = await scored(api, orchestrator, eventually, criteria="lax")
    assert (judged(metrics, "passed"), judged(metrics, "failed")) == (1, 0)
    async with engine.begin() as connection:
        # As after an update of the computation: it is scored anew, and is the same session.
        await connection.execute(text("UPDATE gateway.dryrun_reports SET state = 'old'"))
    await api.get(f"/sessions/{session['id']}/report")
    assert (judged(metrics, "passed"), judged(metrics, "failed")) == (1, 0)


async def test_sessions_of_an_experiment_are_judged_by_what_was_stored_at_its_request(
    api, orchestrator, eventually
):
    scanning = asyncio.create_task(scan_all(orchestrator))
    try:
        await store(api, "lax", LAX)
        wanted = {"name": "x", "templates": ["small"], "seeds": [3, 4], "criteria": "lax"}
        experiment = (await api.post("/experiments", json=wanted)).json()
        await store(api, "lax", STRICT)

        async def summed_up():
            shown = (await api.get(f"/experiments/{experiment['id']}")).json()
            results = shown["results"]
            return results if results and results["arms"][0]["measured"] == 2 else None

        (arm,) = (await eventually(summed_up, 40))["arms"]
    finally:
        scanning.cancel()
        await asyncio.gather(scanning, return_exceptions=True)
    assert (arm["judged"], arm["passed"]) == (2, 2)
    assert judged(api.app.state.metrics, "passed", "experiment") == 2


async def test_the_page_stores_chooses_and_removes(browsers):
    ada = await browsers("ada", Role.OPERATOR)

    async def send(path="", **fields):
        answer = await ada.client.post(f"/dryrun/criteria{path}", data={"csrf_token": ada.csrf, **fields})
        return answer.status_code

    assert await send(name="nightly", criteria='{"false_positives_max": 3}', default="yes") == 303
    shown = (await ada.client.get("/dryrun/criteria")).text
    assert "false_positives_max" in shown
    assert "Stored by ada" in shown
    for broken in ("{", "[]", '{"overall": 1}', "[" * 50):
        assert await send(name="nightly", criteria=broken) == 422
    assert await send(name="../x", criteria="{}") == 422
    assert await send(f"/{BUILT_IN}/default") == 303
    assert await send("/nightly/remove") == 303
    assert await send("/nightly/remove") == 404
    assert "false_positives_max</dt><dd>3" not in (await ada.client.get("/dryrun/criteria")).text
