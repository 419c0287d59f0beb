"""What holds for every route: who may ask, how errors look, health and figures."""

import json

import httpx2
import pytest
from asyncpg import InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.access.credentials import ProgramTokens
from approval_api.app import create_app
from approval_api.database import watching
from approval_api.identity.program_token import ProgramToken
from dryrun_contract.problem import PROBLEM_MEDIA_TYPE, Problem

ROUTES = [
    ("GET", "/api/v1/dryrun/templates"),
    ("GET", "/api/v1/dryrun/templates/small"),
    ("POST", "/api/v1/dryrun/sessions"),
    ("GET", "/api/v1/dryrun/sessions"),
    ("GET", "/api/v1/dryrun/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    ("POST", "/api/v1/dryrun/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7/stop"),
    ("GET", "/api/v1/dryrun/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7/events"),
    ("GET", "/api/v1/dryrun/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7/discoveries"),
    ("GET", "/api/v1/dryrun/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7/report"),
    ("POST", "/api/v1/dryrun/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7/report"),
    ("GET", "/api/v1/dryrun/criteria"),
]


def problem_of(answer):
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    problem = Problem.model_validate(answer.json())
    assert problem.status == answer.status_code
    assert problem.request_id == answer.headers["x-request-id"]
    return problem


async def test_no_route_answers_without_a_known_token(api):
    for method, path in ROUTES:
        for authorization in ("", "Bearer wrong", "Basic YTpi", "Bearer"):
            answer = await api.client.request(method, path, headers={"Authorization": authorization})
            problem = problem_of(answer)
            assert problem.type == "urn:dryrun:problem:unauthenticated"
            assert ("expired or was removed" in problem.detail) is bool(authorization)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_token_identifies_its_owner():
    tokens = ProgramTokens(map(ProgramToken.parse, ("ada:first-token-12345", "bob:other-token-12345")))
    assert tokens.owner_of("first-token-12345").name == "program:ada"
    assert tokens.owner_of("other-token-12345").name == "program:bob"
    assert tokens.owner_of("first-token-1234") is None
    assert tokens.owner_of("\udcff") is None


async def test_an_unknown_route_is_a_problem(api):
    answer = await api.client.get("/api/v1/nothing")
    assert problem_of(answer).type == "urn:dryrun:problem:not-found"


async def test_a_wrong_method_is_a_problem_that_names_the_allowed_ones(api):
    answer = await api.client.delete("/api/v1/dryrun/criteria")
    assert problem_of(answer).type == "urn:dryrun:problem:method-not-allowed"
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{", "body.1"),
        (b"[]", "body"),
        (b'{"template": "../etc"}', "body.template"),
        (b"\xff", "body"),
    ],
)
async def test_a_body_that_is_not_valid_is_a_problem_with_its_faults(api, body, where):
    answer = await api.post("/sessions", content=body, headers={"Content-Type": "application/json"})
    problem = problem_of(answer)
    assert answer.status_code in {400, 422}
    if answer.status_code == 422:
        assert [fault.where for fault in problem.faults] == [where]


async def test_a_body_over_64_kib_is_refused(api):
    async def dripping():
        for _ in range(70):
            yield b"x" * 1000

    for body in ({"json": {"template": "small", "x": "x" * 70_000}}, {"content": dripping()}):
        answer = await api.post("/sessions", headers={"Content-Type": "application/json"}, **body)
        assert answer.status_code == 413
        assert problem_of(answer).type == "urn:dryrun:problem:body-too-large"


async def test_a_strange_request_id_is_replaced(api):
    for given in (b"", b"a b", b"x" * 65, b"\xc3\xa9"):
        answer = await api.client.get("/livez", headers=[(b"X-Request-Id", given)])
        assert len(answer.headers["x-request-id"]) == 16


async def test_ready_while_following_degraded_while_not(api, orchestrator, eventually):
    async def status(wanted):
        answer = await api.client.get("/readyz")
        assert answer.status_code == 200
        return answer.json() if answer.json()["status"] == wanted else None

    ready = await eventually(lambda: status("ready"))
    assert ready["follower"]["following"] is True
    orchestrator.down = True
    orchestrator.wake()
    degraded = await eventually(lambda: status("degraded"))
    assert "does not answer" in degraded["follower"]["detail"]


async def test_not_ready_without_a_database(api, postgres, eventually, monkeypatch):
    async def shows(figure):
        return figure in (await api.client.get("/metrics")).text

    monkeypatch.setattr(watching, "_EVERY_SECONDS", 0.2)
    postgres.stop()
    try:
        answer = await api.client.get("/readyz")
        problem = problem_of(answer)
        assert (answer.status_code, problem.faults[0].where) == (503, "database")
        answer = await api.get("/sessions")
        assert problem_of(answer).type == "urn:dryrun:problem:database-unavailable"
        # Whose token it is, is looked up before the body is read.
        known = {"Authorization": f"Bearer drt_{'a' * 43}"}
        answer = await api.post("/sessions", json={"template": "small"}, headers=known)
        assert (answer.status_code, problem_of(answer).type) == (
            503,
            "urn:dryrun:problem:database-unavailable",
        )
        assert (await api.client.get("/livez")).status_code == 200
        await eventually(lambda: shows("approval_database_up 0.0"))
    finally:
        postgres.start()

    async def ready():
        return (await api.client.get("/readyz")).status_code == 200

    await eventually(ready)
    await eventually(lambda: shows("approval_database_up 1.0"))


async def test_a_connection_that_closes_at_the_wrong_moment_is_a_database_that_is_away(api, monkeypatch):
    def closed(*_arguments, **_options):
        raise InterfaceError("connection is closed")

    monkeypatch.setattr(AsyncConnection, "execute", closed)
    answer = await api.get("/sessions")
    assert (answer.status_code, problem_of(answer).type) == (503, "urn:dryrun:problem:database-unavailable")


async def test_metrics_count_requests_by_route_and_never_by_path(api):
    await api.get("/sessions/7c9e6679-7425-40de-944b-e07fc1f90ae7")
    await api.client.get("/some/path/nobody/knows")
    figures = (await api.client.get("/metrics")).text
    assert "sessions/{session_id}" in figures
    assert "7c9e6679" not in figures
    assert "nobody" not in figures


async def test_metrics_with_an_address_of_their_own_are_there_and_nowhere_else(
    settings, orchestrator, serving, unused_tcp_port
):
    place = f"127.0.0.1:{unused_tcp_port}"
    apart = settings.model_copy(update={"metrics_listen": place})
    async with (
        serving(create_app(apart, orchestrator_transport=orchestrator)) as api,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        assert "approval_follower_up" in (await client.get(f"http://{place}/metrics")).text
        assert (await client.get(f"http://{place}/readyz")).status_code == 404
        assert (await api.client.get("/metrics")).status_code == 404


async def test_switched_off_every_dryrun_route_says_so_and_nothing_is_followed(
    settings, orchestrator, serving
):
    off = settings.model_copy(update={"dryrun": "off"})
    async with serving(create_app(off, orchestrator_transport=orchestrator)) as api:
        for method, path in [*ROUTES, ("GET", "/api/v1/dryrun"), ("DELETE", "/api/v1/dryrun/x/y")]:
            answer = await api.client.request(method, path)
            assert answer.status_code == 501
            assert problem_of(answer).type == "urn:dryrun:problem:dryrun-disabled"
        assert (await api.client.get("/readyz")).json() == {
            "status": "ready",
            "dryrun": "off",
            "follower": None,
        }
    assert orchestrator.requests == []


async def test_one_json_line_per_request_and_no_token_in_it(api, caplog):
    caplog.set_level("INFO")
    await api.get("/criteria", headers={"X-Request-Id": "line-1"})
    (record,) = [record for record in caplog.records if record.name == "approval_api.web.request_log"]
    assert (record.path, record.status, record.actor) == ("/api/v1/dryrun/criteria", 200, "program:ada")
    assert "a-token-of-the-tests" not in json.dumps(vars(record), default=str)


async def test_templates_come_without_their_ground_truth(api):
    (listed,) = (await api.get("/templates")).json()["templates"]
    shown = (await api.get("/templates/small")).json()
    assert listed == shown
    assert shown["id"] == "small"
    assert "ground_truth" not in shown
    answer = await api.get("/templates/huge")
    assert (answer.status_code, problem_of(answer).type) == (404, "urn:dryrun:problem:unknown-template")


async def test_templates_of_an_orchestrator_that_is_away_are_a_503(api, orchestrator):
    orchestrator.down = True
    for path in ("/templates", "/templates/small"):
        answer = await api.get(path)
        assert (answer.status_code, problem_of(answer).type) == (
            503,
            "urn:dryrun:problem:orchestrator-unavailable",
        )
