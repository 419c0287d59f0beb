import asyncio
import json
from uuid import uuid4

import httpx2
import pytest
from served_app import TOKEN, audit_lines, serving, until_ended

from dryrun_contract.event import EventPage, Snapshot
from dryrun_contract.problem import Problem
from dryrun_contract.template import Template


@pytest.fixture
async def served(tmp_path):
    async with serving(tmp_path) as client:
        yield client


@pytest.mark.parametrize(
    "authorization", ["", "Bearer wrong-token-of-16", "Basic a-token-of-sixteen", "Bearer"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/sessions/00000000-0000-4000-8000-000000000001"),
        ("POST", "/sessions/00000000-0000-4000-8000-000000000001/stop"),
        ("GET", "/sessions"),
        ("GET", "/sessions/00000000-0000-4000-8000-000000000001"),
        ("GET", "/templates"),
        ("GET", "/templates/two"),
        ("GET", "/events"),
    ],
)
async def test_without_the_token_nothing_is_answered(served, method, path, authorization):
    answer = await served.request(
        method, path, headers={"Authorization": authorization}, json={"template": "two"}
    )
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert Problem.model_validate_json(answer.content).type == "urn:dryrun:problem:unauthorized"
    if method != "GET":
        assert audit_lines(served)[-1]["outcome"] == "refused"


async def test_every_route_but_the_probes_is_behind_the_token(served):
    open_paths = {"/livez", "/readyz", "/metrics"}
    for path, methods in (await served.get("/openapi.json")).json()["paths"].items():
        for method in methods:
            url = path.replace("{session_id}", str(uuid4())).replace("{template_id}", "two")
            answer = await served.request(method, url, headers={"Authorization": ""})
            assert (answer.status_code == 401) == (path not in open_paths), path


async def test_the_same_put_again_does_no_harm_and_another_one_is_refused(served):
    url = f"/sessions/{uuid4()}"
    first = await served.put(url, json={"template": "two"})
    again = await served.put(url, json={"template": "two"})
    other = await served.put(url, json={"template": "two", "seed": 3})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert "seed 0" in Problem.model_validate_json(other.content).detail
    assert [line["outcome"] for line in audit_lines(served)] == ["accepted", "accepted", "refused"]
    assert audit_lines(served)[0]["actor"] == "ada"
    await until_ended(served, url.rpartition("/")[2])


async def test_of_different_puts_of_one_id_at_the_same_moment_one_counts_also_beside_a_stop(served):
    for _ in range(5):
        url = f"/sessions/{uuid4()}"
        puts = [served.put(url, json={"template": "two", "seed": seed}) for seed in (0, 3, 4)]
        *put, stopped = await asyncio.gather(*puts, served.post(f"{url}/stop"))
        assert sorted(answer.status_code for answer in put) == [201, 409, 409]
        assert stopped.status_code in {202, 404}
        (accepted,) = (answer.json() for answer in put if answer.status_code == 201)
        session = await until_ended(served, url.rpartition("/")[2])
        assert session.seed == accepted["seed"]
        assert session.outcome == ("stopped" if stopped.status_code == 202 else "completed")


async def test_what_cannot_be_chosen_is_refused_before_and_at_the_start(served):
    scan = {"collectors": ["nobody"]}
    shown = await served.get("/templates/two", params={"scan": json.dumps(scan)})
    put = await served.put(f"/sessions/{uuid4()}", json={"template": "two", "scan": scan})
    for answer in (shown, put):
        problem = Problem.model_validate_json(answer.content)
        assert (problem.status, problem.type) == (422, "urn:dryrun:problem:invalid-scan")
        assert [fault.where for fault in problem.faults] == ["scan.collectors"]
    assert (await served.get("/sessions")).json() == []
    for bad in ("{", "[]", '{"image": "evil"}', json.dumps({"collectors": ["a" * 3000]})):
        assert (await served.get("/templates/two", params={"scan": bad})).status_code == 422


async def test_an_unknown_template_lists_the_known_ones(served):
    answer = await served.put(f"/sessions/{uuid4()}", json={"template": "tow"})
    assert answer.status_code == 404
    problem = Problem.model_validate_json(answer.content)
    assert "two" in problem.detail
    assert audit_lines(served)[-1]["reason"] == problem.detail


@pytest.mark.parametrize(
    "body",
    [
        {"template": "two", "image": "discovery/test-web:1"},
        {"template": "../two"},
        {"template": "two", "seed": -1},
        {"services": {"x": {"image": "y"}}},
        [],
    ],
)
async def test_nothing_but_template_seed_and_keep_comes_in(served, body):
    answer = await served.put(f"/sessions/{uuid4()}", json=body)
    assert answer.status_code == 422
    problem = Problem.model_validate_json(answer.content)
    assert problem.faults
    (line,) = audit_lines(served)
    assert (line["actor"], line["outcome"], line["reason"]) == ("ada", "refused", problem.detail)


@pytest.mark.parametrize(("headers", "body"), [({}, b"{" + b" " * 20_000), ({"X-Actor": "a" * 300}, b"{}")])
async def test_a_command_that_is_refused_unread_is_recorded(served, headers, body):
    typed = {"Content-Type": "application/json"}
    answer = await served.put(f"/sessions/{uuid4()}", content=body, headers=typed | headers)
    assert 400 <= answer.status_code < 500
    (line,) = audit_lines(served)
    assert (line["outcome"], line["actor"][:3]) == ("refused", headers.get("X-Actor", "ada")[:3])
    assert len(line["actor"]) <= 201


@pytest.mark.parametrize("given", [{}, {"X-Request-ID": "of the sender"}])
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"template": "nowhere", "seed": 1}, {}, 404),
        ({"template": "tiny", "seed": "x"}, {}, 422),
        ({"template": "tiny", "seed": 1}, {"Authorization": "Bearer of-somebody-else"}, 401),
    ],
)
async def test_a_refusal_is_found_in_the_audit_log_by_the_id_that_its_answer_has(
    served, body, headers, status, given
):
    answer = await served.put(f"/sessions/{uuid4()}", json=body, headers=headers | given)
    assert answer.status_code == status
    (line,) = audit_lines(served)
    assert answer.json()["request_id"] == line["request_id"]
    assert line["request_id"] == given.get("X-Request-ID", line["request_id"]) != ""


async def test_a_failure_is_found_in_the_log_by_the_id_that_its_answer_has(served, monkeypatch, caplog):
    async def fail(*_):
        raise RuntimeError("of a defect")

    monkeypatch.setattr(type(served.app.state.parts.journal.events), "after", fail)
    transport = httpx2.ASGITransport(served.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x", headers=TOKEN) as client:
        answer = await client.get("/events")
    assert (answer.status_code, answer.json()["title"]) == (500, "Internal error")
    assert answer.json()["request_id"] in caplog.text
    assert "defect" not in answer.text


async def test_events_are_paged_acknowledged_and_waited_for(served):
    session_id = uuid4()
    page = EventPage.model_validate_json((await served.get("/events")).content)
    position = f"{page.journal}:0"
    waiting = asyncio.create_task(served.get("/events", params={"after": position, "wait": 10, "limit": 3}))
    await asyncio.sleep(0.05)
    await served.put(f"/sessions/{session_id}", json={"template": "two"})
    page = EventPage.model_validate_json((await waiting).content)
    assert page.events[0].data.type == "session_queued"
    await until_ended(served, session_id)
    seen = []
    while page.events:
        seen += page.events
        position = f"{page.journal}:{seen[-1].seq}"
        page = EventPage.model_validate_json(
            (await served.get("/events", params={"after": position})).content
        )
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].data.type == "session_ended"


async def test_a_position_that_is_gone_is_answered_with_a_snapshot(served):
    answer = await served.get("/events", params={"after": f"{uuid4()}:7"})
    assert answer.status_code == 410
    assert Snapshot.model_validate_json(answer.content).seq == 0


ANY = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "after",
    [
        *("", "7", "x:1", f" {ANY}:1", f"{{{ANY}}}:1", f"urn:uuid:{ANY}:1"),
        *(f"{ANY}:{seq}" for seq in ("", "abc", "-1", "+1", " 1", "1 ", "1_0", "\u0661", "1.0")),
        *(f"{ANY}:{seq}" for seq in (2**63, "9" * 5000)),
    ],
)
async def test_a_malformed_position_is_refused(served, after):
    answer = await served.get("/events", params={"after": after})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:dryrun:problem:invalid-position"


async def test_the_largest_position_is_one(served):
    assert (await served.get("/events", params={"after": f"{ANY}:{2**63 - 1}"})).status_code == 410


async def test_a_long_poll_answers_at_once_when_the_process_is_asked_to_stop(served):
    waiting = asyncio.create_task(served.get("/events", params={"wait": 30}))
    await asyncio.sleep(0.05)
    served.app.state.stopping.set()
    async with asyncio.timeout(2):
        assert (await waiting).status_code == 200


async def test_a_session_is_scored_against_what_its_seed_makes_of_the_template(served):
    shown = {}
    for seed in range(1, 20):
        answer = (await served.get("/templates/two", params={"seed": seed})).json()
        shown[len(answer["ground_truth"]["facts"])] = seed, answer["digest"]
    assert sorted(shown) == [3, 4], "db has a variant with one fact more"
    for seed, digest in shown.values():
        wanted = {"template": "two", "seed": seed}
        answer = await served.put(f"/sessions/{uuid4()}", json=wanted)
        assert answer.json()["template_digest"] == digest
    assert (await served.get("/templates/two", params={"seed": 10000})).status_code == 422


async def test_templates_come_with_their_ground_truth_for_the_api(served):
    listed = (await served.get("/templates")).json()
    assert [template["id"] for template in listed] == ["two"]
    assert "ground_truth" not in listed[0]
    shown = Template.model_validate_json((await served.get("/templates/two")).content)
    assert {fact.key for fact in shown.ground_truth.facts} == {"web", "web:80/tcp", "db"}


async def test_a_route_that_does_not_exist_is_a_problem_too(served):
    answer = await served.get("/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_faults_of_an_invalid_template_stand_beside_the_words_and_not_in_them(served):
    (served.folder / "templates" / "broken.yml").write_text("services: {web: {ports: [80]}}\n")
    async with asyncio.timeout(20):
        while (answer := await served.get("/templates/broken")).status_code == 404:
            await asyncio.sleep(0.05)
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.type) == (422, "urn:dryrun:problem:template-invalid")
    assert problem.detail == f"the template 'broken' is not valid: {len(problem.faults)} problems"
    assert any(fault.what.startswith("the key 'ports' is outside the subset") for fault in problem.faults)
