"""How the adapter reaches an engine: where it looks, how long it waits, which version and trace it speaks."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from played_engine import CONTAINER, SPEC, VERSION, Played, playing, said, speaking

from dryrun_contract.trace_context import TraceContext
from dryrun_orchestrator.engine import docker_http
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import (
    EngineDownError,
    EngineUnreachableError,
    GuardDownError,
    RejectedError,
    TransientEngineError,
)
from dryrun_serving.tracing import Span, inside


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    async with playing() as server:
        yield server


@pytest.fixture
async def engine(played: Played) -> AsyncIterator[DockerEngine]:
    async with speaking(played) as adapter:
        yield adapter


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (VERSION, "/v1.45/networks"),
        ('{"ApiVersion": "1.44", "MinAPIVersion": "1.24"}', "/v1.44/networks"),
        ('{"ApiVersion": "1.52", "MinAPIVersion": "1.44"}', "/v1.45/networks"),
        ('{"ApiVersion": "2.0"}', "/v1.45/networks"),
    ],
)
async def test_speaks_the_newest_version_that_both_know(played, engine, version, path):
    played.version, played.body = version, "[]"
    await engine.list_networks("a")
    await engine.list_networks("a")
    assert played.asked == ["GET /version", f"GET {path}", f"GET {path}"]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ('{"ApiVersion": "1.43", "MinAPIVersion": "1.24"}', "Engine 25 or later"),
        (
            '{"ApiVersion": "1.60", "MinAPIVersion": "1.50"}',
            "1.50 to 1.60, and one of 1.44 to 1.45 is needed",
        ),
        ('{"ApiVersion": "new"}', "no ApiVersion"),
        ("{}", "no ApiVersion"),
        ("[]", "no ApiVersion"),
        ("hello", "not an engine's"),
    ],
)
async def test_refuses_an_engine_of_another_time(played, engine, version, words):
    played.version = version
    with pytest.raises(RejectedError, match=words):
        await engine.list_networks("a")
    assert played.asked == ["GET /version"]


async def test_negotiates_again_when_the_engine_was_replaced(played, engine):
    played.body = "[]"
    await engine.list_networks("a")
    played.status, played.body = (
        400,
        said("client version 1.45 is too new. Maximum supported API version is 1.44"),
    )
    played.version = '{"ApiVersion": "1.44"}'
    with pytest.raises(RejectedError):
        await engine.list_networks("a")
    played.status, played.body = 200, "[]"
    await engine.list_networks("a")
    assert played.asked[-1] == "GET /v1.44/networks"


@pytest.mark.parametrize(
    ("said", "known"),
    [("2097152", 2097152), ("0", 0), (None, None), ("", None), ("-1", None), ("9" * 19, None), ("1e9", None)],
)
async def test_a_ping_returns_what_the_guard_says_of_memory(played, engine, said, known):
    played.body, played.headers = "OK", {} if said is None else {"Docker-Guard-Memory-Available": said}
    assert await engine.ping() == known


async def test_gives_up_on_an_answer_that_does_not_come(played):
    played.pause = 5
    engine = DockerEngine(played.url, call_seconds=0.1)
    with pytest.raises(EngineUnreachableError, match=r"no answer within 0\.1 s"):
        await engine.list_networks("a")
    with pytest.raises(EngineUnreachableError, match=r"no answer within 0\.1 s"):
        await anext(engine.read_log(CONTAINER, follow=True))
    await engine.close()


async def test_calls_that_wait_for_the_version_each_give_up_at_their_own_deadline(played):
    played.version_pause = 60
    engine = DockerEngine(played.url, call_seconds=0.3)
    ended = []

    async def ask():
        begun = time.monotonic()
        with pytest.raises(EngineUnreachableError, match=r"no answer within 0\.3 s"):
            await engine.list_containers("key=value")
        ended.append(time.monotonic() - begun)

    await asyncio.gather(*(ask() for _ in range(10)))
    await engine.close()
    assert max(ended) < 2


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:9", "unix:///nowhere/docker.sock"])
async def test_says_where_it_looked_for_an_engine_that_is_not_there(host):
    engine = DockerEngine(host)
    for call in (engine.ping, engine.version, lambda: engine.list_networks("a")):
        with pytest.raises(GuardDownError, match=host):
            await call()
    await engine.close()


async def test_at_the_engine_s_own_socket_it_is_the_engine_that_is_not_there(monkeypatch):
    host = "unix:///nowhere/docker.sock"
    monkeypatch.setattr(docker_http, "_ENGINES_OWN", {host})
    engine = DockerEngine(host)
    with pytest.raises(EngineDownError, match=host):
        await engine.ping()
    await engine.close()


@pytest.mark.parametrize(
    "host",
    [
        "",
        "/var/run/docker.sock",
        "tcp://",
        "tcp://host",
        "tcp://host:1/path",
        "ssh://host",
        "unix://relative",
    ],
)
def test_refuses_a_docker_host_of_another_form(host):
    with pytest.raises(ValueError, match="unix:///path/of/socket or tcp://host:port"):
        DockerEngine(host)


@pytest.mark.parametrize("identity", ["", "../images/x", "a/b", "a?force=1", "a b", "ä", "x" * 129])
async def test_refuses_an_id_that_is_none_without_asking(played, engine, identity):
    with pytest.raises(RejectedError, match="not an id or name"):
        await engine.remove_container(identity)
    with pytest.raises(RejectedError, match="not an id or name"):
        await engine.create_container(replace(SPEC, name=identity))
    assert played.asked == []


async def test_refuses_a_ping_that_is_answered_by_something_else(played, engine):
    played.body = "<html>hello</html>"
    with pytest.raises(RejectedError, match="not an engine's"):
        await engine.ping()


async def test_a_call_that_changes_something_is_a_span_whose_context_the_guard_receives(
    played: Played, engine: DockerEngine
) -> None:
    spans: list[Span] = []
    played.body = "[]"
    with inside(TraceContext(1, 2), spans.append):
        await engine.list_containers("a=b")
        played.status, played.body = 204, ""
        await engine.remove_container(CONTAINER)
        played.status, played.body = 500, said("secret-of-a-target")
        with pytest.raises(TransientEngineError):
            await engine.start_container(CONTAINER)
    removed, failed = spans
    assert [removed.name, failed.name] == ["DELETE /containers/{id}", "POST /containers/{id}/start"]
    assert [removed.failed, failed.failed] == [False, True]
    assert played.traces == [None, removed.context.header(), failed.context.header()]
    assert {span.parent for span in spans} == {TraceContext(1, 2)}
    assert "secret" not in repr(spans)
    assert CONTAINER not in repr(spans)


async def test_outside_of_a_trace_the_guard_receives_no_context(played: Played, engine: DockerEngine) -> None:
    played.status, played.body = 204, ""
    await engine.remove_container(CONTAINER)
    assert played.traces == [None]
