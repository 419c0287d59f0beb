"""What the adapter makes of the answers of an engine, a proxy, or something that is neither."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from played_engine import CONTAINER, SPEC, Played, playing, said, speaking

from dryrun_orchestrator.engine import docker as docker_module
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import (
    ConflictError,
    EngineDownError,
    ForbiddenError,
    ImageMissingError,
    ImageNotAllowedError,
    InUseByTaskError,
    NotFoundError,
    RejectedError,
    SubnetTakenError,
    TransientEngineError,
)
from dryrun_orchestrator.engine.protocol import NetworkSpec

NETWORK = NetworkSpec("dryrun-a", "dr-a", "10.213.192.0/27", {})


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    async with playing() as server:
        yield server


@pytest.fixture
async def engine(played: Played) -> AsyncIterator[DockerEngine]:
    async with speaking(played) as adapter:
        yield adapter


HTML = "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>"

ANSWERS = {
    "a container that is gone": (404, said("No such container: x"), NotFoundError, "No such container"),
    "a page that an engine does not know": (
        404,
        said("page not found"),
        RejectedError,
        "does not know the call",
    ),
    "another state": (409, said("container is not running"), ConflictError, "not running"),
    "a name in use": (409, said("The container name is already in use"), ConflictError, "already in use"),
    "a removal that an earlier request began": (
        409,
        said("removal of the container is already in progress"),
        TransientEngineError,
        "already in progress",
    ),
    "active endpoints, as forbidden": (
        403,
        said("network x has active endpoints"),
        ConflictError,
        "endpoints",
    ),
    "an address in use, as forbidden": (403, said("Address already in use"), ConflictError, "already in use"),
    "an overlap, as forbidden": (
        403,
        said("Pool overlaps with other one"),
        SubnetTakenError,
        "another subnet",
    ),
    "an overlap, as a failure": (
        500,
        said("networks have overlapping IPv4"),
        SubnetTakenError,
        "overlapping",
    ),
    "active endpoints, as a failure": (
        500,
        said("x has active endpoints"),
        ConflictError,
        "active endpoints",
    ),
    "an overlay with a task": (
        400,
        said("rpc error: code = FailedPrecondition desc = network x is in use by task y"),
        InUseByTaskError,
        "in use by task y",
    ),
    "an overlay with a task, in the guard's words": (
        400,
        said("the network is in use by a task of the swarm"),
        InUseByTaskError,
        "in use by a task",
    ),
    "a wrong request": (400, said("invalid CapAdd"), RejectedError, "invalid CapAdd"),
    "a failure": (500, said("context canceled"), TransientEngineError, "context canceled; try again"),
    "too many requests": (429, said("slow down"), TransientEngineError, "slow down"),
    "a proxy's page": (403, HTML, ForbiddenError, "403 Forbidden.*administrative rules"),
    "a proxy's word": (403, "Forbidden", ForbiddenError, "Forbidden"),
    "a guard's reason": (403, said("Binds is not allowed"), ForbiddenError, "Binds is not allowed"),
    "a guard's reason with its rule": (
        403,
        said("docker-guard: CapDrop has to be ALL (rule privileges)"),
        ForbiddenError,
        r"rule privileges\)$",
    ),
    "a guard without its engine": (
        503,
        said("docker-guard: GET /_ping: the engine does not answer"),
        EngineDownError,
        "check that the engine runs",
    ),
    "a guard with too much to do": (
        503,
        said("docker-guard: too many requests wait for the engine; try again (rule crowd)"),
        TransientEngineError,
        r"try again \(rule crowd\)$",
    ),
    "a guard that cannot record": (
        503,
        said(
            "docker-guard: the audit log cannot be written; nothing is created until that works (rule audit)"
        ),
        TransientEngineError,
        r"until that works \(rule audit\)$",
    ),
    "a guard that waited too long for a request": (
        408,
        said("docker-guard: the request's body took too long (rule slow)"),
        TransientEngineError,
        "took too long",
    ),
    "a proxy without the path": (404, HTML, ForbiddenError, "404"),
    "a proxy without the method": (405, "Method not allowed", ForbiddenError, "405"),
    "a proxy that wants a login": (401, "Unauthorized", ForbiddenError, "401"),
    "a proxy without its engine": (503, "<h1>503 Service Unavailable</h1>", EngineDownError, "proxy"),
    "a proxy's failure": (500, "oops", TransientEngineError, "oops"),
    "a redirect": (301, "", RejectedError, "301"),
    "a teapot": (418, "[1]", RejectedError, "418"),
}


@pytest.mark.parametrize(("status", "body", "error", "words"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_each_answer_becomes_the_error_that_it_means(played, engine, status, body, error, words):
    played.status, played.body = status, body
    with pytest.raises(error, match=words) as caught:
        await engine.start_container(CONTAINER)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"POST /containers/{CONTAINER}/start: ")
    assert str(status) in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_stream_that_is_refused_is_translated_alike(played, engine):
    played.status, played.body = 403, HTML
    with pytest.raises(ForbiddenError, match=rf"GET /containers/{CONTAINER}/logs: .*ALLOW_LOGS=1"):
        await anext(engine.read_log(CONTAINER, follow=True))
    with pytest.raises(ForbiddenError, match=r"GET /events: .*EVENTS=1"):
        async with engine.events():
            pass


async def test_names_call_and_flags_of_what_a_proxy_refuses(played, engine):
    played.status, played.body = 403, HTML
    with pytest.raises(ForbiddenError, match=r"^POST /containers/create: .*CONTAINERS=1 and POST=1"):
        await engine.create_container(SPEC)
    with pytest.raises(ForbiddenError, match=rf"^DELETE /networks/{CONTAINER}: .*NETWORKS=1 .*DELETE=1"):
        await engine.remove_network(CONTAINER)
    with pytest.raises(ForbiddenError, match=r"^GET /_ping: .*PING=1"):
        await engine.ping()


async def test_names_the_image_that_is_missing(played, engine):
    played.status, played.body = 404, said(f"No such image: {SPEC.image_id}")
    with pytest.raises(ImageMissingError, match=r"discovery/test-nginx:1.26 \(sha256:1+\)"):
        await engine.create_container(SPEC)


async def test_names_the_image_that_is_missing_behind_a_guard(played, engine):
    played.status = 403  # never 404, on which docker's clients pull
    played.body = said(f"docker-guard: the image '{SPEC.image_name}' is not on this engine (rule image)")
    with pytest.raises(ImageMissingError, match="build or load it"):
        await engine.create_container(SPEC)


async def test_knows_a_guards_refusal_of_an_image_that_its_allowlist_lacks(played, engine):
    played.status = 403
    played.body = said(f"docker-guard: the image '{SPEC.image_id}' is not in the allowlist (rule image)")
    with pytest.raises(ImageNotAllowedError, match="is not in the allowlist"):
        await engine.create_container(SPEC)


@pytest.mark.parametrize("body", ["", "<html>", "{}", "[]", "null", '{"Id": 5}', '{"Id": ""}'])
async def test_refuses_a_success_that_no_engine_would_answer(played, engine, body):
    played.status, played.body = 201, body
    with pytest.raises(RejectedError, match="not an engine's"):
        await engine.create_network(NETWORK)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "<html>",
        "[1]",
        '[{"Id": "x"}]',
        '[{"Id": "x", "State": "melting"}]',
        '[{"Id": ["x"], "Names": ["/x"], "State": "running", "Labels": {"a": ""}}]',
        '[{"Id": "x", "Names": [["/x"]], "State": "running", "Labels": {"a": ""}}]',
        '[{"Id": "x", "Names": ["/x"], "State": "running", "Labels": {"a": 5}}]',
        '[{"Id": "x", "Names": ["/x"], "State": "running", "Labels": [["a", ""]]}]',
    ],
)
async def test_refuses_a_listing_that_no_engine_would_answer(played, engine, body):
    played.body = body
    if body == "{}":
        assert await engine.list_containers("a") == []
        return
    with pytest.raises(RejectedError, match="not an engine's"):
        await engine.list_containers("a")


async def test_what_a_filter_let_through_is_checked_again(played, engine):
    played.body = (
        '[{"Id": "x", "Names": ["/x"], "State": "running", "Labels": {"s": "12"}},'
        ' {"Id": "y", "Names": ["/y"], "State": "running", "Labels": {"s": "1"}},'
        ' {"Id": "z", "Names": null, "State": "dead", "Labels": null}]'
    )
    assert [container.id for container in await engine.list_containers("s=1")] == ["y"]
    assert [container.id for container in await engine.list_containers("s")] == ["x", "y"]


async def test_the_log_of_a_container_that_is_being_removed_is_gone(played, engine):
    played.status = 409
    played.body = said("can not get logs from container which is dead or marked for removal")
    with pytest.raises(NotFoundError, match="marked for removal"):
        await anext(engine.read_log(CONTAINER, follow=False))


@pytest.mark.parametrize("kind", ["network", "container"])
async def test_a_create_that_is_cancelled_ends_once_the_engine_has_answered(played, engine, kind):
    played.status, played.body, played.pause = 201, '{"Id": "x"}', 0.5
    create = engine.create_network(NETWORK) if kind == "network" else engine.create_container(SPEC)
    task = asyncio.create_task(create)
    while f"POST /v1.45/{kind}s/create" not in played.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task}, timeout=0.2)
    assert not task.done()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
    assert played.answered == 1


async def test_a_create_that_is_cancelled_waits_for_no_engine_that_hangs(played, engine, monkeypatch):
    monkeypatch.setattr(docker_module, "_CANCELLED_SECONDS", 0.1)
    played.pause = 30
    task = asyncio.create_task(engine.create_network(NETWORK))
    while "POST /v1.45/networks/create" not in played.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task}, timeout=1)
    assert task.cancelled()


async def test_hides_environment_values_that_an_engine_repeats(played, engine, caplog):
    caplog.set_level(logging.DEBUG)
    played.status, played.body = 400, said("invalid environment variable: PASSWORD=hunter2-hunter2")
    with pytest.raises(RejectedError, match=r"PASSWORD=\[hidden\]") as caught:
        await engine.create_container(SPEC)
    assert "hunter2" not in repr(caught.value) + repr(SPEC) + caplog.text
    assert caught.value.__suppress_context__
