"""The table is complete: no other call reaches the engine."""

import pytest
from guard_stage import WEB_ID, Guard, Words

from docker_guard.calls.routes import ROUTES, find_route
from docker_guard.refusal import Refusal

NOT_THERE = [
    ("GET", "/v1.45/images/json"),
    ("POST", "/v1.45/images/create"),
    ("GET", "/v1.45/info"),
    ("POST", "/v1.45/containers/x/exec"),
    ("POST", "/v1.45/containers/x/kill"),
    ("GET", "/v1.45/containers/x/attach/ws"),
    ("POST", "/v1.45/containers/x/attach/ws"),
    ("POST", "/v1.45/containers/x/update"),
    ("POST", "/v1.45/containers/x/rename"),
    ("GET", "/v1.45/containers/x/archive"),
    ("GET", "/v1.45/containers/x/export"),
    ("POST", "/v1.45/containers/prune"),
    ("POST", "/v1.45/networks/prune"),
    ("POST", "/v1.45/networks/x/connect"),
    ("POST", "/v1.45/volumes/create"),
    ("POST", "/v1.45/build"),
    ("POST", "/v1.45/commit"),
    ("POST", "/v1.45/session"),
    ("GET", "/v1.45/containers/json/"),
    ("HEAD", "/v1.45/containers/json"),
    ("DELETE", "/v1.45/containers/json/x"),
]


@pytest.mark.parametrize(("method", "path"), NOT_THERE, ids=[f"{m} {p[6:]}" for m, p in NOT_THERE])
def test_refuses_a_call_that_is_not_in_the_table(method, path):
    with pytest.raises(Refusal) as refused:
        find_route(method, path)
    assert (refused.value.rule, refused.value.status) == ("route", 403)


@pytest.mark.parametrize("version", ["v1.24", "v1.43", "v1.46", "v2.45", "v1.4", "v1.450", "v01.45", "V1.45"])
def test_refuses_versions_that_are_not_supported(version):
    with pytest.raises(Refusal):
        find_route("GET", f"/{version}/containers/json")


def test_finds_every_row_with_and_without_a_version():
    for route in ROUTES:
        path = route.path.replace("{}", "some-name")
        for prefix in ("", "/v1.44", "/v1.45"):
            found, reference = find_route(route.method, prefix + path)
            assert found is route
            assert reference == ("some-name" if "{}" in route.path else "")


async def test_a_whole_session_passes_through(guard: Guard):
    words = Words()
    network = await guard.make_session(words)
    made = await guard.make_container(words.container(WEB_ID), "dryrun-a")
    for method, path, status in (
        ("POST", f"containers/{made}/start", 204),
        ("POST", "containers/dryrun-a/start", 304),
        ("GET", f"containers/{made[:12]}/json", 200),
        ("GET", f"containers/{made}/logs?stdout=1&follow=0", 200),
        ("GET", f"containers/{made}/stats?stream=false&one-shot=true", 200),
        ("POST", f"containers/{made}/stop?t=1", 204),
        ("POST", f"containers/{made}/wait", 200),
        ("DELETE", f"containers/{made}?force=1", 204),
        ("GET", f"networks/{network}", 200),
        ("DELETE", f"networks/{words.network_name}", 204),
        ("GET", f"containers/{made}/json", 404),
    ):
        reply = await guard.ask(method, f"/v1.45/{path}")
        assert reply.status == status, (method, path, reply.body)
    assert guard.engine.containers == guard.engine.networks == {}


@pytest.mark.parametrize("path", ["/_ping", "/version", "/v1.45/_ping"])
async def test_reports_the_supported_api(guard: Guard, path):
    reply = await guard.ask("GET", path)
    assert reply.status == 200
    assert "1.45" in (reply.head if "ping" in path else str(reply.json()))


async def test_an_unknown_parameter_is_refused_and_asks_the_engine_nothing(guard: Guard):
    await guard.ask("GET", "/_ping")
    before = list(guard.engine.asked)
    reply = await guard.ask("GET", "/v1.45/containers/json?all=1&before=x")
    assert (reply.status, "before" in reply.message) == (403, True)
    assert guard.engine.asked == before
