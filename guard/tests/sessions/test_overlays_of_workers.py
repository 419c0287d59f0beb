"""A worker's guard and a session across hosts: it trusts no name, and takes the network from a manager."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from fake_engine import FakeEngine, running_engine
from guard_stage import SCAN, SCAN_ID, WEB, WEB_ID, Guard, Log, Words, in_seconds
from worker_stage import lay, worker_of

from docker_guard.audit.audit_log import AuditLog
from docker_guard.engine.client import Engine
from docker_guard.engine.engine_work import EngineWork
from docker_guard.rules import labels
from docker_guard.rules.network_rules import VXLAN_IDS
from docker_guard.rules.policy import Policy
from docker_guard.sessions.deadline_keeper import DeadlineKeeper
from docker_guard.sessions.deadlines import Deadlines


@pytest.fixture
def policy() -> Policy:
    return Policy(sessions=2)


@pytest.fixture
async def manager(tmp_path):
    """What the manager's guard answers to that of a worker."""
    async with running_engine(tmp_path / "manager.sock") as engine:
        yield engine


@pytest.fixture
async def worker(tmp_path, engine, manager, allowlist_file, policy):
    async with worker_of(tmp_path, engine, allowlist_file, policy) as guard:
        yield guard


async def test_a_container_is_created_on_the_id_that_the_manager_says(worker: Guard, manager: FakeEngine):
    words = Words()
    network = lay(manager, words)
    identity = await worker.make_container(words.container())
    (body,) = worker.engine.bodies("/containers/create")
    assert body["HostConfig"]["NetworkMode"] == network
    assert list(body["NetworkingConfig"]["EndpointsConfig"]) == [network]
    assert (await worker.ask("POST", f"/v1.45/containers/{identity}/start")).status == 204


async def test_a_name_alone_opens_nothing(worker: Guard, manager: FakeEngine):
    words = Words()
    # Of the right name on both engines, and of the wrong session, or of none.
    lay(manager, words, Labels={})
    lay(manager, Words(), Name=words.network_name)
    lay(worker.engine, words, Labels={})
    reply = await worker.create(words.container())
    assert (reply.status, worker.engine.bodies("/containers/create")) == (403, [])
    assert worker.decisions[-1]["rule"] == "session"


OUTSIDE = {
    "not internal": {"Internal": False},
    "not attachable": {"Attachable": False},
    "the ingress": {"Ingress": True},
    "local": {"Scope": "local"},
    "in the clear": {"Options": {VXLAN_IDS: "4097"}},
    "another name": {"Name": "dryrun-other"},
    "no half for the engines": {"IPAM": {"Config": [{"Subnet": "10.213.4.0/26"}]}},
    "two subnets": {"IPAM": {"Config": 2 * [{"Subnet": "10.213.4.0/26", "IPRange": "10.213.4.32/27"}]}},
    "outside the pool": {"IPAM": {"Config": [{"Subnet": "10.214.4.0/26", "IPRange": "10.214.4.32/27"}]}},
    "IPv6": {"EnableIPv6": True},
    "older than a session": {"Created": (datetime.now(UTC) - timedelta(hours=1)).isoformat()},
    "the manager's own bridge": {"Driver": "bridge", "Scope": "local"},
    "a deadline that is over": {
        "Labels": {**Words().shared, labels.EXPIRES_AT: "2020-01-01T00:00:00Z"},
    },
}


@pytest.mark.parametrize("change", OUTSIDE.values(), ids=OUTSIDE.keys())
async def test_an_overlay_outside_of_the_rules_is_no_sessions(worker, manager, change):
    words = Words()
    if "Labels" in change:
        change = {"Labels": {**words.shared, labels.EXPIRES_AT: "2020-01-01T00:00:00Z"}}
    lay(manager, words, **change)
    assert (await worker.create(words.container())).status == 403
    assert worker.engine.bodies("/containers/create") == []


async def test_encryption_beyond_what_is_asked_for_is_welcome(tmp_path, engine, manager, allowlist_file):
    policy = Policy(encrypted_overlays=False)
    async with worker_of(tmp_path, engine, allowlist_file, policy) as worker:
        for options in ({}, {"encrypted": "", VXLAN_IDS: "4099"}):
            words = Words()
            lay(manager, words, Options=options)
            await worker.make_container(words.container())


@pytest.mark.parametrize("address", ["10.213.4.32", "10.213.4.33", "10.213.4.40", "10.213.4.31", ""])
async def test_a_container_has_an_address_of_the_containers_half(worker, manager, address):
    words = Words()
    lay(manager, words)
    body = words.container()
    endpoint = {"IPAMConfig": {"IPv4Address": address}} if address else {}
    body["NetworkingConfig"]["EndpointsConfig"] = {words.network_name: endpoint}
    assert (await worker.create(body)).status == 403


def at(words: Words, image: str, number: int):
    """A container with the address of this number in its overlay."""
    body = words.container(image)
    endpoint = {"IPAMConfig": {"IPv4Address": f"10.213.4.{number}"}}
    body["NetworkingConfig"]["EndpointsConfig"] = {words.network_name: endpoint}
    return body


@pytest.mark.parametrize(
    ("image", "number", "status"),
    [
        *[(WEB, 1, 403), (WEB, 2, 201), (WEB, 21, 201), (WEB, 22, 403), (WEB, 29, 403)],
        *[(SCAN, 2, 403), (SCAN, 28, 403), (SCAN, 29, 201), (SCAN, 30, 201)],
    ],
)
async def test_addresses_bound_targets_and_collectors_on_all_hosts_together(
    worker, manager, image, number, status
):
    words = Words()
    lay(manager, words)
    assert (await worker.create(at(words, image, number))).status == status


async def test_creations_and_starts_that_hang_with_the_manager_hold_up_none_on_a_bridge(
    worker, manager, monkeypatch
):
    monkeypatch.setattr(worker.door._gate, "_making", EngineWork(Policy(calls_at_once=1), 0.02))
    words, spread = Words(), Words()
    assert (await worker.ask("POST", "/v1.45/networks/create", words.network())).status == 201
    lay(manager, spread)
    identity = await worker.make_container(at(spread, WEB, 2))
    worker.engine.create_seconds = worker.engine.change_seconds = 30
    calls = [
        asyncio.create_task(worker.ask("POST", f"/v1.45/containers/{identity}/start")),
        asyncio.create_task(worker.create(at(spread, WEB, 3))),
    ]
    while worker.engine.under_way < len(calls):
        await asyncio.sleep(0.01)
    worker.engine.create_seconds = worker.engine.change_seconds = 0
    async with asyncio.timeout(3):
        own = await worker.make_container(words.container())
        assert (await worker.ask("POST", f"/v1.45/containers/{own}/start")).status == 204
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_manager_that_hangs_holds_up_no_session_of_the_workers_own(worker, manager):
    words = Words()
    assert (await worker.ask("POST", "/v1.45/networks/create", words.network())).status == 201
    manager.list_seconds = 30
    asking = asyncio.create_task(worker.create(Words().container()))
    while not manager.asked:
        await asyncio.sleep(0.01)
    identity = await worker.make_container(words.container())
    assert (await worker.ask("POST", f"/v1.45/containers/{identity}/start")).status == 204
    assert not asking.done()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize("identity", ["host", "", "none", "container:abc"])
async def test_what_is_no_id_of_a_network_is_none(worker, manager, identity):
    words = Words()
    network = manager.networks[lay(manager, words)]
    network["Id"] = identity
    assert (await worker.create(words.container())).status == 403
    assert worker.engine.bodies("/containers/create") == []


async def test_without_an_answer_of_the_manager_nothing_is_created(worker, manager):
    words = Words()
    lay(manager, words)
    manager.refuse["GET", "/networks"] = (503, "gone")
    assert (await worker.create(words.container())).status == 503
    manager.refuse.clear()
    assert (await worker.create(words.container())).status == 201


@pytest.fixture
async def second(tmp_path):
    """What the guard of a second manager answers."""
    async with running_engine(tmp_path / "second.sock") as engine:
        yield engine


@pytest.fixture
async def of_two(tmp_path, engine, manager, second, allowlist_file, policy):
    """A worker of a fleet with two managers."""
    async with worker_of(tmp_path, engine, allowlist_file, policy, ("manager", "second")) as guard:
        yield guard


@pytest.mark.parametrize("first", ["hangs", "is down", "has left the swarm"])
async def test_one_manager_of_several_is_enough(of_two, manager, second, first):
    words = Words()
    network = lay(second, words)
    manager.list_seconds = 30 if first == "hangs" else 0
    manager.refuse = {("GET", "/"): (503, "gone")} if first == "is down" else {}
    await of_two.make_container(words.container())
    (body,) = of_two.engine.bodies("/containers/create")
    assert body["HostConfig"]["NetworkMode"] == network


async def test_managers_that_know_no_network_or_do_not_answer_open_nothing(of_two, manager, second):
    words = Words()
    assert (await of_two.create(words.container())).status == 403
    # The one that answers may have left the swarm: unknown is not absent.
    manager.refuse["GET", "/networks"] = (503, "gone")
    assert (await of_two.create(words.container())).status == 503
    second.refuse["GET", "/networks"] = (503, "gone")
    assert (await of_two.create(words.container())).status == 503
    assert of_two.engine.bodies("/containers/create") == []


async def test_once_a_container_is_there_the_workers_engine_knows(worker, manager):
    """So a session goes on while the manager is away."""
    words = Words()
    overlay = dict(words.overlay(), Options={"encrypted": "", VXLAN_IDS: "4097"})
    worker.engine.add_network(overlay.pop("Labels"), overlay.pop("Name"), **overlay)
    manager.refuse["GET", "/networks"] = (503, "gone")
    assert (await worker.create(words.container())).status == 201


async def test_no_session_begins_on_a_worker_that_enforces_no_limits(worker, manager):
    words = Words()
    lay(manager, words)
    worker.engine.info["PidsLimit"] = False
    assert (await worker.create(words.container())).status == 403
    assert worker.decisions[-1]["rule"] == "limits"


async def test_a_workers_sessions_are_counted_by_their_containers(worker, manager):
    sessions = [Words() for _ in range(3)]
    for words in sessions:
        lay(manager, words)
    replies = [await worker.create(words.container()) for words in sessions]
    assert [reply.status for reply in replies] == [201, 201, 403]
    assert worker.decisions[-1]["rule"] == "ceiling"


async def test_a_network_made_anew_with_a_later_deadline_prolongs_nothing(worker, manager):
    words = Words(seconds=1)
    network = lay(manager, words)
    await worker.make_container(words.container(), "dryrun-first")
    del manager.networks[network]
    longer = dict(words.shared, **{labels.EXPIRES_AT: in_seconds(900)})
    lay(manager, words, Labels=longer)
    await asyncio.sleep(1.1)
    body = words.container()
    body["Labels"] |= longer
    assert (await worker.create(body, "dryrun-second")).status == 403
    assert worker.decisions[-1]["rule"] == "deadline"


# deadlines


@pytest.mark.parametrize("makes_overlays", [False, True])
async def test_a_worker_removes_containers_and_the_manager_the_overlay(tmp_path, engine, makes_overlays):
    policy = Policy(makes_overlays=makes_overlays)
    words = Words(-1)
    engine.add_container(words.shared, "due")
    lay(engine, words)
    client = Engine(f"unix://{tmp_path / 'engine.sock'}", policy)
    keeper = DeadlineKeeper(client, policy, Deadlines(policy), AuditLog(Log().write))
    async with asyncio.TaskGroup() as removals:
        await keeper.sweep(removals)
    await client.close()
    assert not engine.containers
    assert len(engine.networks) == (0 if makes_overlays else 1)
    assert bool([each for each in engine.asked if each[0] == "DELETE" and "networks" in each[1]]) is (
        makes_overlays
    )


async def test_images_stay_pinned_on_a_worker(worker, manager):
    words = Words()
    lay(manager, words)
    worker.engine.images[WEB] = SCAN_ID
    assert (await worker.create(words.container())).status == 403
    worker.engine.images |= {WEB: WEB_ID, SCAN: SCAN_ID}
    assert (await worker.create(words.container())).status == 201
