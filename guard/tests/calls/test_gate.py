"""Lists, creations, starts and answers of the engine, as the handlers of the routes judge and pass them."""

import asyncio
import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from guard_stage import ALLOWLIST, SCAN, WEB, WEB_ID, Guard, Words

from docker_guard.calls import gate
from docker_guard.engine import host_memory
from docker_guard.rules import labels


async def test_lists_show_only_objects_of_sessions_whatever_the_engine_lists(guard: Guard):
    own = guard.engine.add_container({labels.SESSION_ID: Words().session_id}, "own")
    guard.engine.add_container({labels.SESSION_ID: "no-uuid"}, "foreign")
    guard.engine.add_container({}, "foreign-2")
    filters = quote(json.dumps({"label": {"a=b": True}, "status": ["running"]}), safe="")
    assert [each["Id"] for each in (await guard.ask("GET", "/v1.45/containers/json?all=1")).json()] == [own]
    await guard.ask("GET", f"/v1.45/containers/json?filters={filters}")
    asked = json.loads(guard.engine.asked[-1][2]["filters"])
    assert asked == {"label": [labels.SESSION_ID, "a=b"], "status": ["running"]}


async def test_a_ping_says_what_memory_the_host_can_give_where_that_is_known(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr(host_memory, "MEMINFO", meminfo)
    for content, said in {
        "MemTotal: 9 kB\nMemAvailable:    2048 kB\n": ["2097152"],
        "MemTotal: 9 kB\n": [],
        "MemAvailable: kB\n": [],
        "MemAvailable:\n": [],
    }.items():
        meminfo.write_text(content)
        reply = await guard.ask("GET", "/_ping")
        found = re.findall(r"(?m)^Docker-Guard-Memory-Available: (.*)\r$", reply.head)
        assert (reply.status, found) == (200, said)
    meminfo.unlink()
    assert (await guard.ask("GET", "/_ping")).status == 200


@pytest.mark.parametrize(
    "filters",
    [
        {"label!": ["x"]},
        {"ancestor": ["x"]},
        {"label": {"x": False}},
        {"label": "x"},
        {"label": [1]},
        {"label": [""]},
        {"Label": ["x"]},
        {"label": ["\u0007"]},
        {"label": ["x"] * 33},
        {"label": ["x" * 257]},
        {"label": ["a=(b|c)"]},
        {"name": ["(a+)+$"]},
        {"name": ["^/dryrun-a$"]},
        {"name": ["a" * 129]},
        {"id": [".*"]},
        {"id": ["[0-9a-f]{64}"]},
        {"name": ["dryrun-\u00e9"]},
        {"status": ["running\u0000"]},
    ],
)
async def test_refuses_filters_that_could_reveal_more(guard: Guard, filters):
    text = quote(json.dumps(filters), safe="")
    reply = await guard.ask("GET", f"/v1.45/containers/json?filters={text}")
    assert reply.status in (400, 403)
    assert not [call for call in guard.engine.asked if call[1] == "/containers/json"]


async def test_the_engine_gets_the_guards_body_and_the_client_no_warnings(guard: Guard):
    words = Words()
    network = await guard.make_session(words)
    body = words.container(WEB, Cmd=None, Hostname="", AttachStdout=True)
    reply = await guard.create(body, "dryrun-a")
    (sent,) = guard.engine.bodies("/containers/create")
    assert (reply.status, reply.json()["Warnings"]) == (201, [])
    assert sent["Image"] == WEB_ID
    assert sent["HostConfig"]["NetworkMode"] == network
    assert "Cmd" not in sent


async def test_engine_errors_never_name_foreign_objects(guard: Guard):
    words = Words()
    await guard.make_session(words)
    await guard.make_container(words.container(), "dryrun-a")
    conflict = await guard.create(words.container(), "dryrun-a")
    assert (conflict.status, conflict.message) == (409, "the container name is already in use")
    guard.engine.refuse["POST", "/networks/create"] = (403, f"pool overlaps with network prod ({'d' * 64})")
    overlap = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert (overlap.status, overlap.message) == (403, "Pool overlaps with other one on this address space")
    held = f"network {'d' * 25} is in use by task {'e' * 25}"
    (network,) = guard.engine.networks
    guard.engine.refuse["DELETE", f"/networks/{network}"] = (
        400,
        f"rpc error: code = FailedPrecondition desc = {held}",
    )
    task = await guard.ask("DELETE", f"/v1.45/networks/{network}")
    assert (task.status, task.message) == (400, "the network is in use by a task of the swarm")
    guard.engine.refuse["POST", "/networks/create"] = (500, f"something about prod ({'d' * 64})")
    other = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert "prod" not in other.message
    assert "d" * 12 not in other.message


async def test_a_container_that_breaks_the_rules_does_not_start(guard: Guard):
    words = Words()
    await guard.make_session(words)
    made = await guard.make_container(words.container())
    found = guard.engine.containers[made]
    for key, value in (("Privileged", True), ("Binds", ["/:/h"]), ("Memory", 0), ("NetworkMode", "host")):
        before = found["HostConfig"].get(key)
        found["HostConfig"][key] = value
        assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 403, key
        found["HostConfig"][key] = before
    found["Image"] = f"sha256:{'9' * 64}"
    assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 403
    assert found["State"] == "created"
    assert (await guard.ask("DELETE", f"/v1.45/containers/{made}")).status == 204


async def test_stats_that_stream_are_refused(guard: Guard):
    for query in ("", "?stream=1", "?one-shot=1"):
        assert (await guard.ask("GET", f"/v1.45/containers/x/stats{query}")).status == 403


async def test_a_network_shows_only_containers_of_sessions(guard: Guard):
    words = Words()
    network = await guard.make_session(words)
    own = await guard.make_container(words.container())
    guard.engine.networks[network]["Containers"] = {own: {"Name": "own"}, "f" * 64: {"Name": "guest"}}
    shown = (await guard.ask("GET", f"/v1.45/networks/{network}")).json()
    assert list(shown["Containers"]) == [own]


async def test_only_events_of_sessions_are_shown(guard: Guard):
    own, foreign = {labels.SESSION_ID: Words().session_id}, {labels.SESSION_ID: "x"}
    for kind, attributes in (("container", own), ("container", foreign), ("network", own), ("image", own)):
        guard.engine.events.put_nowait({"Type": kind, "Action": "start", "Actor": {"Attributes": attributes}})
    guard.engine.events.put_nowait(None)
    types = quote('{"type":["container","network"]}', safe="")
    reply = await guard.ask("GET", f"/v1.45/events?filters={types}")
    (event,) = [json.loads(line) for line in reply.body.splitlines()]
    assert (event["Type"], event["Actor"]["Attributes"]) == ("container", own)
    asked = json.loads(guard.engine.asked[-1][2]["filters"])
    assert asked == {"type": ["container"], "label": [labels.SESSION_ID]}


async def test_an_unreachable_engine_is_reported_as_such(guard: Guard):
    guard.engine.refuse["GET", "/containers/json"] = (500, "broken at /secret/path")
    reply = await guard.ask("GET", "/v1.45/containers/x/json")
    assert reply.status == 503
    assert "secret" not in reply.message


async def test_the_role_decides_which_ceiling_applies(guard: Guard):
    words = Words()
    await guard.make_session(words)
    made = [await guard.make_container(words.container(SCAN, NetworkingConfig=None)) for _ in range(3)]
    starts = await asyncio.gather(*(guard.ask("POST", f"/v1.45/containers/{each}/start") for each in made))
    assert sorted(reply.status for reply in starts) == [204, 204, 403]


async def test_an_engine_whose_api_is_too_old_is_not_used(guard):
    guard.engine.api = "1.43"
    answer = await guard.ask("GET", "/v1.45/containers/json")
    assert answer.status == 503
    assert "the engine's API is 1.43; 1.44 is the oldest that is safe" in answer.json()["message"]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "revoked": lambda images: images.pop(WEB),
    "another image": lambda images: images[WEB].update(id=f"sha256:{'c' * 64}"),
    "less for it": lambda images: images[WEB].update(environment=[]),
    "of no concern": lambda images: images[WEB].update(facts={"product": "x"}),
}


@pytest.mark.parametrize("kind", ["creation", "start"])
@pytest.mark.parametrize("change", CHANGES)
async def test_what_the_allowlist_grants_no_longer_after_a_wait_is_not_done(
    guard: Guard, allowlist_file: Path, monkeypatch: pytest.MonkeyPatch, kind: str, change: str
):
    monkeypatch.setattr(gate, "_JUDGED_SECONDS", 0.05)
    words = Words()
    await guard.make_session(words)
    body = words.container(Env=["GREETING=x"])
    if kind == "start":
        made = await guard.make_container(body)
        asking = guard.ask("POST", f"/v1.45/containers/{made}/start")
    else:
        asking = guard.create(body)
    making = guard.door._gate._making
    making._at_once, places = 0, making._at_once
    waiting = asyncio.create_task(asking)
    while not making._lines:
        await asyncio.sleep(0.01)
    listed = copy.deepcopy(ALLOWLIST)
    CHANGES[change](listed["images"])
    allowlist_file.write_text(json.dumps(listed))  # noqa: ASYNC240 - a few bytes
    await asyncio.sleep(0.06)
    making._at_once = places
    making._admit()
    reply = await waiting
    state = "running" if kind == "start" else "created"
    is_done = state in {each["State"] for each in guard.engine.containers.values()}
    assert is_done == (change == "of no concern")
    assert reply.status in ({201, 204} if is_done else {403, 503})


async def test_crowd_that_asks_for_the_version_costs_the_engine_one_answer_a_second(guard: Guard):
    """It starts two programs for each."""
    await guard.ask("GET", "/_ping")
    before = guard.engine.times_asked("/version")
    replies = await asyncio.gather(*(guard.ask("GET", "/v1.45/version") for _ in range(50)))
    assert {(reply.status, reply.json()["ApiVersion"]) for reply in replies} == {(200, "1.45")}
    assert guard.engine.times_asked("/version") <= before + 2
