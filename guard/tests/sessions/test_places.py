"""Ceilings hold under parallel requests, and when the engine's answers are late or lost."""

import asyncio
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

import pytest
from guard_stage import SCAN, WEB, Guard, Words, in_seconds

from docker_guard.clients import front_door
from docker_guard.clients.peers import Peer
from docker_guard.refusal import EngineDownError
from docker_guard.rules import labels
from docker_guard.rules.policy import Policy


@pytest.fixture
def policy() -> Policy:
    return Policy(targets=4, sessions=3, containers=7)


async def test_parallel_creates_stay_within_a_sessions_ceiling(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.create_seconds = 0.05
    replies = await asyncio.gather(*(guard.create(words.container()) for _ in range(12)))
    assert sorted(reply.status for reply in replies) == [201] * 4 + [403] * 8
    assert len(guard.engine.containers) == 4


async def test_parallel_creates_of_one_name_do_not_hide_each_other(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.create_seconds = 0.05
    names = ["dryrun-a", "dryrun-a", "dryrun-b", "dryrun-b", "dryrun-c", "dryrun-d", "dryrun-e", "dryrun-e"]
    await asyncio.gather(*(guard.create(words.container(), name) for name in names))
    assert len(guard.engine.containers) <= 4


async def test_parallel_creates_stay_within_the_ceiling_over_all(guard: Guard):
    sessions = [Words() for _ in range(3)]
    for words in sessions:
        await guard.make_session(words)
    guard.engine.create_seconds = 0.05
    await asyncio.gather(*(guard.create(words.container()) for words in sessions for _ in range(4)))
    assert len(guard.engine.containers) == 7


async def test_requests_that_wait_together_are_counted_with_one_listing(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.list_seconds = 0.2  # all of them come meanwhile, on a busy machine too
    guard.engine.asked.clear()
    replies = await asyncio.gather(*(guard.create(words.container()) for _ in range(6)))
    assert sorted(reply.status for reply in replies) == [201] * 4 + [403] * 2
    made = [reply.json()["Id"] for reply in replies if reply.status == 201]
    # The first asks for itself; those that came while the engine answered share the next.
    assert guard.engine.times_asked("/containers/json") <= 2
    assert guard.engine.times_asked("/networks") <= 2
    guard.engine.asked.clear()
    await asyncio.gather(*(guard.ask("POST", f"/v1.45/containers/{each}/start") for each in made))
    assert guard.engine.times_asked("/containers/json") <= 3
    assert guard.engine.times_asked("/networks") <= 2


@pytest.mark.parametrize("call", ["network", "container", "start", "unknown"])
async def test_crowd_of_one_client_keeps_no_other_waiting_for_its_place(guard: Guard, monkeypatch, call):
    """What needs a look at the engine first has it one at a time, and clients take turns for that."""
    crowd, other = (Words(), Words()), Words()
    for words in (*crowd, other):
        await guard.make_session(words)
    ids = [await guard.make_container(words.container()) for words in (*crowd, other)]
    bodies = {
        "network": [words.network() for words in (*crowd, other)],
        "container": [words.container() for words in (*crowd, other)],
        "start": [None] * 3,
        "unknown": [Words().container() for _ in range(31)],
    }[call]
    path = {"network": "/networks/create", "start": "/containers/{}/start"}.get(call, "/containers/create")
    requests = [
        ("POST", f"/v1.45{path.format(identity)}", body) for identity, body in zip(cycle(ids), bodies)
    ]
    who = "crowd"
    monkeypatch.setattr(front_door, "peer_of", lambda *_: Peer(who, who))
    guard.engine.list_seconds = 0.05
    *crowds, others = requests
    many = [asyncio.create_task(guard.ask(*each)) for each in islice(cycle(crowds), 30)]
    await asyncio.sleep(0.2)
    who = "other"
    before = guard.engine.times_listed
    await guard.ask(*others)
    assert guard.engine.times_listed - before <= 8
    await asyncio.gather(*many)


async def test_requests_of_clients_that_take_turns_are_counted_together_all_the_same(
    guard: Guard, monkeypatch
):
    sessions = {name: Words() for name in ("a", "b", "c")}
    for words in sessions.values():
        await guard.make_session(words)
    who = ""
    monkeypatch.setattr(front_door, "peer_of", lambda *_: Peer(who, who))
    guard.engine.list_seconds = 0.2

    async def times_listed(paths: dict[str, str], body_of: Callable[[Words], Any]) -> int:
        nonlocal who
        before, asked = guard.engine.times_listed, []
        for who in [*sessions] * 8:
            asked.append(asyncio.create_task(guard.ask("POST", paths[who], body_of(sessions[who]))))
            await asyncio.sleep(0.001)  # until it is known who asks
        await asyncio.gather(*asked)
        return guard.engine.times_listed - before

    create = dict.fromkeys(sessions, "/v1.45/containers/create")
    # The first asks for itself; then each session's network is looked up, and all containers are counted.
    assert await times_listed(create, Words.container) <= 8
    by_session = {labels.session_of(each["Labels"]): each["Id"] for each in guard.engine.containers.values()}
    start = {
        name: f"/v1.45/containers/{by_session[words.session_id]}/start" for name, words in sessions.items()
    }
    # Starts come in waves: few are under way at the engine at a time.
    assert await times_listed(start, lambda _: None) <= 14


async def test_parallel_starts_stay_within_a_sessions_ceiling(guard: Guard):
    words = Words()
    await guard.make_session(words)
    made = [await guard.make_container(words.container(SCAN)) for _ in range(3)]
    guard.engine.list_seconds = 0.02
    starts = (guard.ask("POST", f"/v1.45/containers/{each}/start") for each in made)
    replies = await asyncio.gather(*starts)
    assert sorted(reply.status for reply in replies) == [204, 204, 403]


async def test_a_request_is_not_judged_by_a_listing_that_began_before_it(guard: Guard):
    words = Words()
    await guard.make_session(words)
    for _ in range(4):
        await guard.make_container(words.container())
    assert (await guard.create(words.container())).status == 403
    guard.engine.containers.popitem()  # removed past the guard
    assert (await guard.create(words.container())).status == 201
    guard.engine.networks.clear()
    assert (await guard.create(words.container())).status == 403


async def test_a_start_whose_answer_was_lost_counts_until_its_container_is_gone(guard: Guard):
    words = Words()
    await guard.make_session(words)
    first, second, third = [await guard.make_container(words.container(SCAN)) for _ in range(3)]
    guard.engine.loses_answers = True
    for lost in (first, second):
        assert (await guard.ask("POST", f"/v1.45/containers/{lost}/start")).status == 503
    guard.engine.loses_answers = False
    assert (await guard.ask("POST", f"/v1.45/containers/{third}/start")).status == 403
    await guard.ask("DELETE", f"/v1.45/containers/{first}")
    assert (await guard.ask("POST", f"/v1.45/containers/{third}/start")).status == 204


async def test_parallel_networks_stay_within_the_ceiling(guard: Guard):
    bodies = [Words().network() for _ in range(8)]
    replies = await asyncio.gather(*(guard.ask("POST", "/v1.45/networks/create", body) for body in bodies))
    assert sorted(reply.status for reply in replies) == [201] * 3 + [403] * 5


async def test_a_place_is_free_again_after_a_removal_or_a_failure(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.refuse["POST", "/containers/create"] = (500, "no space left")
    for _ in range(6):
        assert (await guard.create(words.container())).status == 500
    guard.engine.refuse.clear()
    made = [await guard.make_container(words.container()) for _ in range(4)]
    assert (await guard.create(words.container())).status == 403
    await guard.ask("DELETE", f"/v1.45/containers/{made[0]}")
    assert (await guard.create(words.container())).status == 201


@pytest.mark.parametrize(
    ("field", "limit"), [("MemoryLimit", "memory"), ("CpuCfsQuota", "CPU"), ("PidsLimit", "pids")]
)
@pytest.mark.parametrize("said", [False, None, "true", "nothing"])
async def test_no_session_begins_on_an_engine_that_does_not_enforce_a_limit(guard: Guard, field, limit, said):
    guard.engine.info[field] = said
    if said == "nothing":
        del guard.engine.info[field]
    reply = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert (reply.status, guard.decisions[-1]["rule"]) == (403, "limits")
    assert f"does not enforce limits of {limit} (" in reply.message
    assert "cgroup v2" in reply.message
    assert guard.engine.bodies("/networks/create") == []


async def test_all_limits_that_are_not_enforced_are_named_and_swap_is_not_required(guard: Guard):
    guard.engine.info = {"SwapLimit": False}
    reply = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert "limits of memory, CPU, pids (" in reply.message


async def test_an_engine_that_does_not_report_its_limits_gets_no_session(guard: Guard):
    guard.engine.refuse["GET", "/info"] = (500, "not now")
    reply = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert (reply.status, "GET /info" in reply.message) == (503, True)
    assert guard.engine.bodies("/networks/create") == []
    guard.engine.refuse.clear()
    assert (await guard.ask("POST", "/v1.45/networks/create", Words().network())).status == 201


async def test_limits_are_read_once_per_session(guard: Guard):
    words = Words()
    await guard.make_session(words)
    await guard.make_container(words.container())
    assert [path for _, path, _, _ in guard.engine.asked].count("/info") == 1


async def test_a_container_goes_into_its_own_session_only(guard: Guard):
    mine, other = Words(), Words()
    await guard.make_session(mine)
    await guard.make_session(other)
    body = mine.container(NetworkingConfig=None)
    body["HostConfig"]["NetworkMode"] = other.network_name
    assert (await guard.create(body)).status == 403
    for key, value in ((labels.OWNER, "somebody"), (labels.EXPIRES_AT, in_seconds(1700))):
        body = mine.container(WEB)
        body["Labels"][key] = value
        assert (await guard.create(body)).status == 403
    assert guard.engine.containers == {}


async def test_a_session_without_its_network_or_with_another_one_gets_nothing(guard: Guard):
    words = Words()
    assert (await guard.create(words.container())).status == 403
    sent = words.network()
    for change in ({"Internal": False}, {"Options": {}}, {"EnableIPv6": True}, {"Driver": "macvlan"}):
        guard.engine.networks.clear()
        body = {**sent, **change}
        kept = {key: body[key] for key in ("Driver", "Internal", "EnableIPv6", "IPAM", "Options")}
        guard.engine.add_network(words.shared, words.network_name, **kept)
        assert (await guard.create(words.container())).status == 403, change


async def test_nothing_is_created_or_started_after_the_deadline(guard: Guard):
    words = Words(2)
    await guard.make_session(words)
    made = await guard.make_container(words.container())
    await asyncio.sleep(2.1)
    assert (await guard.create(words.container())).status == 403
    assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 403
    assert (await guard.ask("GET", f"/v1.45/containers/{made}/json")).status == 200
    assert (await guard.ask("DELETE", f"/v1.45/containers/{made}")).status == 204


async def test_a_recreated_network_does_not_prolong_its_session(guard: Guard):
    words = Words(60)
    network = await guard.make_session(words)
    await guard.ask("DELETE", f"/v1.45/networks/{network}")
    words.shared[labels.EXPIRES_AT] = in_seconds(600)
    again = await guard.ask("POST", "/v1.45/networks/create", words.network())
    assert (again.status, "nothing prolongs it" in again.message) == (403, True)


async def test_a_create_whose_answer_was_lost_counts_for_longer_than_any_engine_takes(
    guard: Guard, monkeypatch
):
    words = Words()
    await guard.make_session(words)
    guard.engine.loses_creates = True
    for number in range(4):
        assert (await guard.create(words.container(), f"dryrun-lost-{number}")).status == 503
    guard.engine.loses_creates = False
    loop = asyncio.get_running_loop()
    begun = loop.time()
    monkeypatch.setattr(loop, "time", lambda: time.monotonic() + 60 if time.monotonic() > begun else begun)
    await asyncio.sleep(0)
    assert (await guard.create(words.container())).status == 403
    monkeypatch.undo()
    # What lands is counted once, and its place is free again when it is removed.
    landed = guard.engine.add_container(words.container()["Labels"], "dryrun-lost-0")
    assert (await guard.create(words.container())).status == 403
    del guard.engine.containers[landed]
    assert (await guard.create(words.container())).status == 201


async def test_lost_places_are_free_after_their_sessions_deadline(guard: Guard):
    short, other, third = Words(2), Words(), Words()
    for words in (short, other, third):
        await guard.make_session(words)
    guard.engine.loses_creates = True
    for number in range(4):
        await guard.create(short.container(), f"dryrun-lost-{number}")
    guard.engine.loses_creates = False
    made = [await guard.create(words.container()) for words in (other, third) for _ in range(4)]
    assert [reply.status for reply in made].count(201) == 3
    await asyncio.sleep(2.1)
    made = [await guard.create(words.container()) for words in (other, third) for _ in range(4)]
    assert len(guard.engine.containers) == 7


async def test_a_request_that_never_reached_the_engine_takes_no_place(guard: Guard, monkeypatch):
    words = Words()
    await guard.make_session(words)
    places = guard.door._gate._places
    with pytest.raises(EngineDownError):
        async with places.for_network(str(uuid4()), in_seconds(60)):
            raise EngineDownError("the engine is not there", may_land=False)
    assert places._networks.now() == set()


async def test_more_targets_than_a_session_may_have_do_not_all_start(guard: Guard):
    words = Words()
    network = await guard.make_session(words)
    made = [await guard.make_container(words.container(), f"dryrun-t{number}") for number in range(4)]
    for number in range(2):  # as creates do that land after everybody has given them up
        late = guard.engine.containers[made[number]]
        again = guard.engine.add_container(late["Labels"], f"dryrun-late{number}")
        guard.engine.containers[again] |= {
            key: late[key] for key in ("Image", "HostConfig", "Config", "NetworkSettings")
        }
        guard.engine.containers[again]["Config"] = late["Config"] | {"Hostname": again[:12]}
        made.append(again)
    replies = await asyncio.gather(*(guard.ask("POST", f"/v1.45/containers/{each}/start") for each in made))
    assert sorted(reply.status for reply in replies) == [204] * 4 + [403] * 2
    assert network in guard.engine.networks
    (stopped,) = [each for each in made if guard.engine.containers[each]["State"] == "running"][:1]
    await guard.ask("POST", f"/v1.45/containers/{stopped}/stop")
    waiting = next(each for each in made if guard.engine.containers[each]["State"] == "created")
    assert (await guard.ask("POST", f"/v1.45/containers/{waiting}/start")).status == 204


async def test_a_creation_without_an_id_is_a_failure_and_keeps_its_place(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.refuse["POST", "/containers/create"] = (201, "no id")
    for number in range(4):
        assert (await guard.create(words.container(), f"dryrun-x{number}")).status == 503
    guard.engine.refuse.clear()
    assert guard.decisions[-1]["verdict"] == "failed"
    assert (await guard.create(words.container())).status == 403
