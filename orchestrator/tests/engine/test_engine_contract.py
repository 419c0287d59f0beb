"""What every engine promises of networks and containers; the fake and the real one are held to the same."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from ipaddress import IPv4Network

import pytest

from dryrun_orchestrator.engine.errors import (
    ConflictError,
    ImageMissingError,
    NotFoundError,
    RejectedError,
    SubnetTakenError,
)
from dryrun_orchestrator.engine.protocol import Engine

NOWHERE = "0" * 64
SECOND = timedelta(seconds=1)


async def test_answers_a_ping_and_reports_its_version(bench):
    await bench.engine.ping()
    assert (await bench.engine.version())[0].isdigit()


async def test_lists_a_network_as_it_was_made_until_it_is_removed(bench):
    network_id, spec = await bench.network()
    [network] = await bench.engine.list_networks(bench.label)
    assert network.id == network_id
    assert network.name == spec.name
    assert network.subnet == spec.subnet
    assert network.labels == spec.labels
    await bench.engine.remove_network(network_id)
    assert await bench.engine.list_networks(bench.label) == []
    with pytest.raises(NotFoundError):
        await bench.engine.remove_network(network_id)


async def test_refuses_a_second_network_of_one_name(bench):
    _, spec = await bench.network()
    with pytest.raises(ConflictError):
        await bench.network(name=spec.name)


async def test_refuses_a_second_network_of_one_bridge(bench):
    _, spec = await bench.network()
    with pytest.raises(ConflictError):
        await bench.network(bridge=spec.bridge)


async def test_refuses_an_overlapping_subnet(bench):
    _, spec = await bench.network()
    inside = next(IPv4Network(spec.subnet).subnets(new_prefix=28))
    with pytest.raises(SubnetTakenError):
        await bench.engine.create_network(bench.network_spec(subnet=str(inside)))


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.003, 0.01, 0.03, 0.1])
async def test_a_create_that_is_cancelled_leaves_nothing_to_appear_later(bench, seconds):
    _, network = await bench.network()
    creates = [
        bench.engine.create_network(bench.network_spec()),
        bench.engine.create_container(bench.container_spec("idle", network)),
    ]
    tasks = [asyncio.create_task(create) for create in creates]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    async def made() -> set[str]:
        networks, containers = await asyncio.gather(
            bench.engine.list_networks(bench.label), bench.engine.list_containers(bench.label)
        )
        return {thing.id for thing in (*networks, *containers)}

    known = await made()
    await asyncio.sleep(1)
    assert await made() == known


async def test_compares_a_label_value_as_a_whole(bench):
    key, value = bench.label.split("=")
    network_id, network = await bench.network()
    longer = {key: f"{value}-and-more"}
    other_id, other = await bench.network(labels=longer)
    container = await bench.container("idle", network)
    foreign = await bench.container("idle", other, labels=longer)
    try:
        assert [found.id for found in await bench.engine.list_networks(bench.label)] == [network_id]
        assert [found.id for found in await bench.engine.list_containers(bench.label)] == [container]
        assert {network_id, other_id} <= {found.id for found in await bench.engine.list_networks(key)}
        assert {container, foreign} <= {found.id for found in await bench.engine.list_containers(key)}
        assert await bench.engine.list_containers(f"{key}={value[:-1]}") == []
    finally:
        await bench.engine.remove_container(foreign)
        await bench.remove_network(other_id)


async def test_names_an_image_that_is_missing_and_makes_nothing(bench):
    _, network = await bench.network()
    spec = bench.container_spec(
        "idle", network, image_id=f"sha256:{NOWHERE}", image_name="discovery/test-gone:1"
    )
    with pytest.raises(ImageMissingError, match="discovery/test-gone:1"):
        await bench.engine.create_container(spec)
    assert await bench.engine.list_containers(bench.label) == []


async def test_refuses_a_second_container_of_one_name(bench):
    _, network = await bench.network()
    spec = bench.container_spec("idle", network)
    await bench.engine.create_container(spec)
    with pytest.raises(ConflictError):
        await bench.engine.create_container(spec)


async def test_refuses_an_address_outside_of_the_network(bench):
    _, network = await bench.network()
    with pytest.raises(RejectedError):
        await bench.container("idle", network, address="10.213.0.9")


async def test_creates_on_a_network_that_is_gone_and_only_fails_to_start(bench):
    network_id, network = await bench.network()
    await bench.engine.remove_network(network_id)
    container = await bench.container("idle", network)
    with pytest.raises(NotFoundError):
        await bench.engine.start_container(container)
    detail = await bench.engine.inspect_container(container)
    assert detail.status == "created"
    assert network.name in detail.error


async def test_shows_a_created_container_as_not_yet_run(bench):
    _, network = await bench.network()
    spec = bench.container_spec("healthy", network)
    container = await bench.engine.create_container(spec)
    detail = await bench.engine.inspect_container(container)
    assert (detail.id, detail.name, detail.status) == (container, spec.name, "created")
    assert (detail.health, detail.exit_code, detail.out_of_memory) == ("none", None, False)
    assert (detail.error, detail.address) == ("", spec.address)
    assert spec.labels.items() <= detail.labels.items()
    assert await bench.engine.read_traffic(container) is None


async def test_shows_a_running_container_and_starts_it_only_once(bench):
    _, network = await bench.network()
    spec = bench.container_spec("idle", network)
    container = await bench.engine.create_container(spec)
    await bench.engine.start_container(container)
    await bench.engine.start_container(container)
    detail = await bench.engine.inspect_container(container)
    assert (detail.status, detail.health, detail.exit_code) == ("running", "none", None)
    assert detail.address == spec.address
    [listed] = await bench.engine.list_containers(bench.label)
    assert (listed.id, listed.name, listed.status) == (container, spec.name, "running")
    traffic = await bench.engine.read_traffic(container)
    assert traffic is not None
    assert traffic.rx_bytes >= 0


@pytest.mark.parametrize("place", [5, 1], ids=["of another container", "of the gateway that is not there"])
async def test_refuses_to_start_on_an_address_that_is_taken(bench, place):
    _, network = await bench.network()
    address = str(IPv4Network(network.subnet)[place])
    await bench.engine.start_container(await bench.container("idle", network))
    second = await bench.container("idle", network, address=address)
    with pytest.raises(ConflictError):
        await bench.engine.start_container(second)
    assert (await bench.engine.inspect_container(second)).status == "created"


async def test_calls_a_container_starting_while_its_check_fails(bench):
    _, network = await bench.network()
    container = await bench.container("never-healthy", network)
    await bench.engine.start_container(container)
    assert (await bench.engine.inspect_container(container)).health == "starting"


async def test_reports_exit_code_and_log_of_a_container_that_ended(bench):
    _, network = await bench.network()
    container = await bench.container("chatty", network)
    await bench.engine.start_container(container)
    followed = await bench.log(container, follow=True)
    detail = await bench.until(container, lambda detail: detail.status == "exited")
    assert detail.exit_code == 3
    assert followed == {"stdout": b"one\ntwo\nthree\n", "stderr": b"oops\n"}
    assert await bench.log(container, follow=False) == followed
    assert await bench.log(container, follow=True) == followed
    assert await bench.engine.read_traffic(container) is None


async def test_remembers_whether_a_container_ended_by_itself_or_was_ended(bench):
    _, network = await bench.network()
    by_itself = await bench.container("chatty", network)
    ended = await bench.container("idle", network, address=str(IPv4Network(network.subnet)[9]))
    for container in (by_itself, ended):
        await bench.engine.start_container(container)
    bench.kill(ended)
    detail = await bench.until(by_itself, lambda detail: detail.status == "exited")
    actions = await bench.engine.past_actions(by_itself, detail.ended_at - SECOND, detail.ended_at + SECOND)
    assert "die" in actions
    assert "kill" not in actions
    detail = await bench.engine.inspect_container(ended)
    since = detail.ended_at - 5 * SECOND
    assert {"kill", "die"} <= set(await bench.engine.past_actions(ended, since, detail.ended_at + SECOND))
    assert await bench.engine.past_actions(ended, since - 9 * SECOND, since - 5 * SECOND) == ()


async def test_a_container_that_ended_runs_again_and_its_log_goes_on(bench):
    _, network = await bench.network()
    container = await bench.container("talker", network)
    for _ in range(2):
        await bench.engine.start_container(container)
        await bench.until(container, lambda detail: detail.status == "exited")
    assert (await bench.log(container, follow=False))["stdout"] == b"first\nsecond\n" * 2


async def test_a_container_that_was_killed_is_no_longer_healthy(bench):
    _, network = await bench.network()
    container = await bench.container("healthy", network)
    await bench.engine.start_container(container)
    await bench.until(container, lambda detail: detail.health == "healthy")
    bench.kill(container)
    detail = await bench.until(container, lambda detail: detail.status == "exited")
    assert (detail.exit_code, detail.health) == (137, "unhealthy")


async def test_removes_a_running_container_and_ends_its_log(bench):
    _, network = await bench.network()
    container = await bench.container("idle", network)
    await bench.engine.start_container(container)
    log = asyncio.create_task(bench.log(container, follow=True))
    await asyncio.sleep(0.1)
    await bench.engine.remove_container(container)
    assert await log == {"stdout": b"", "stderr": b""}
    assert await bench.engine.list_containers(bench.label) == []


CALLS: dict[str, Callable[[Engine], Awaitable[object]]] = {
    "start": lambda engine: engine.start_container(NOWHERE),
    "inspect": lambda engine: engine.inspect_container(NOWHERE),
    "remove": lambda engine: engine.remove_container(NOWHERE),
    "traffic": lambda engine: engine.read_traffic(NOWHERE),
    "log": lambda engine: anext(engine.read_log(NOWHERE, follow=False)),
    "remove network": lambda engine: engine.remove_network(NOWHERE),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_reports_what_is_gone_as_not_found(bench, call):
    with pytest.raises(NotFoundError):
        await call(bench.engine)


async def test_keeps_a_network_as_long_as_a_container_runs_on_it(bench):
    network_id, network = await bench.network()
    container = await bench.container("idle", network)
    await bench.engine.start_container(container)
    with pytest.raises(ConflictError):
        await bench.engine.remove_network(network_id)
    bench.kill(container)
    await bench.remove_network(network_id)
    assert await bench.engine.list_networks(bench.label) == []


async def test_many_calls_at_once_are_no_trouble(bench):
    _, network = await bench.network()
    addresses = [str(address) for address in IPv4Network(network.subnet)][2:10]
    containers = await asyncio.gather(
        *(bench.container("idle", network, address=address) for address in addresses)
    )
    await asyncio.gather(*(bench.engine.start_container(container) for container in containers))
    assert {listed.status for listed in await bench.engine.list_containers(bench.label)} == {"running"}
    await asyncio.gather(*(bench.engine.remove_container(container) for container in containers))
    assert await bench.engine.list_containers(bench.label) == []
