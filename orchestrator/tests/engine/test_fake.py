"""The faults that the fake engine plays, which its contract tests do not reach."""

import asyncio

import pytest
from engine_in_memory.engine import FakeContainer, FakeEngine, FakeImage, stdout

from dryrun_orchestrator.engine.errors import ConflictError, EngineUnreachableError, ForbiddenError
from dryrun_orchestrator.engine.protocol import ContainerSpec, Limits, LogChunk, NetworkSpec

NETWORK = NetworkSpec("dryrun-a", "dr-a", "10.213.192.0/27", {"session": "a"})


def spec(name: str = "one", *, limits: Limits | None = None) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        image_id="sha256:image",
        image_name="discovery/test-image:1",
        network="dryrun-a",
        address="10.213.192.3",
        aliases=("web",),
        labels={"session": "a", "service": "web"},
        environment={"TASK": "scan"},
        limits=limits or Limits(),
    )


@pytest.fixture
async def engine():
    async with FakeEngine({"sha256:image": FakeImage(log=stdout("1234567"), exit_after=60)}) as engine:
        yield engine


async def running(engine: FakeEngine) -> str:
    await engine.create_network(NETWORK)
    container = await engine.create_container(spec())
    await engine.start_container(container)
    return container


async def test_fails_a_call_as_often_as_planned_and_then_works(engine):
    engine.faults.fail("create_network", ForbiddenError("POST /networks/create"), times=2)
    for _ in range(2):
        with pytest.raises(ForbiddenError):
            await engine.create_network(NETWORK)
    assert engine.networks == {}
    await engine.create_network(NETWORK)
    assert len(engine.calls_of("create_network")) == 3


async def test_an_answer_can_be_lost_after_the_work_was_done(engine):
    engine.faults.fail("create_network", EngineUnreachableError("cut"), after=True)
    with pytest.raises(EngineUnreachableError):
        await engine.create_network(NETWORK)
    with pytest.raises(ConflictError):
        await engine.create_network(NETWORK)


async def test_a_create_whose_client_is_lost_lands_later(engine):
    engine.faults.lose("create_container", lands_after=0.02)
    with pytest.raises(EngineUnreachableError):
        await engine.create_container(spec())
    assert await engine.list_containers("session=a") == []
    await asyncio.sleep(0.04)
    assert [container.name for container in await engine.list_containers("session=a")] == ["one"]


async def test_a_create_whose_client_is_cancelled_lands_all_the_same(engine):
    engine.faults.delay("create_container", 5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await engine.create_container(spec())
    assert len(engine.containers) == 1


async def test_a_call_that_hangs_ends_by_its_deadline_without_effect(engine):
    engine.faults.hang("create_network", seconds=0.01)
    with pytest.raises(EngineUnreachableError):
        await engine.create_network(NETWORK)
    assert engine.networks == {}


async def test_answers_nothing_while_it_is_down(engine):
    container = await running(engine)
    engine.go_down()
    with pytest.raises(EngineUnreachableError):
        await engine.ping()
    engine.come_up()
    assert (await engine.inspect_container(container)).status == "running"
    engine.go_down(lose_containers=True)
    engine.come_up()
    assert (await engine.inspect_container(container)).exit_code == 137


async def test_going_down_cuts_the_streams(engine):
    container = await running(engine)
    log = engine.read_log(container, follow=True)
    assert await anext(log) == LogChunk("stdout", b"1234567\n")
    async with engine.events() as events:
        asyncio.get_running_loop().call_later(0.01, engine.go_down)
        with pytest.raises(EngineUnreachableError):
            await anext(events)
    with pytest.raises(EngineUnreachableError):
        await anext(log)


@pytest.mark.parametrize("quietly", [True, False])
async def test_cuts_a_log_connection_after_so_many_bytes(engine, quietly):
    container = await running(engine)
    await asyncio.sleep(0.01)
    engine.faults.cut_log(3, quietly=quietly)
    log = engine.read_log(container, follow=True)
    assert await anext(log) == LogChunk("stdout", b"123")
    with pytest.raises(StopAsyncIteration if quietly else EngineUnreachableError):
        await anext(log)
    assert await anext(engine.read_log(container, follow=True)) == LogChunk("stdout", b"1234567\n")


async def test_an_endpoint_may_linger_after_its_container_went(engine):
    engine.linger(refusals=2)
    await engine.remove_container(await running(engine))
    [network] = engine.networks
    for _ in range(2):
        with pytest.raises(ConflictError, match="active endpoints"):
            await engine.remove_network(network)
    await engine.remove_network(network)


async def test_things_vanish_behind_the_client_s_back(engine):
    container = await running(engine)
    async with engine.events() as events:
        engine.vanish(container)
        engine.vanish(next(iter(engine.networks)))
        actions = [(await anext(events)).action for _ in range(3)]
    assert actions == ["die", "destroy", "destroy"]
    assert (engine.containers, engine.networks) == ({}, {})


async def test_a_program_sees_its_environment_and_decides_how_it_ends(engine):
    async def program(container: FakeContainer) -> int:
        container.say(container.spec.environment["TASK"].encode() + b"\n")
        return 7

    engine.images["sha256:image"] = FakeImage(program=program)
    container = await running(engine)
    assert [chunk.data async for chunk in engine.read_log(container, follow=True)] == [b"scan\n"]
    assert (await engine.inspect_container(container)).exit_code == 7


async def test_a_program_that_fails_fails_the_test():
    async def program(_: FakeContainer) -> int:
        raise ZeroDivisionError

    engine = FakeEngine({"sha256:image": FakeImage(program=program)})
    await running(engine)
    await asyncio.sleep(0.01)
    with pytest.raises(ExceptionGroup, match="programs of fake images failed") as caught:
        await engine.shut_down()
    assert caught.group_contains(ZeroDivisionError)


async def test_a_container_can_be_ended_by_the_test(engine):
    await running(engine)
    async with engine.events() as events:
        engine.container("service=web").end(137, out_of_memory=True)
        assert [(await anext(events)).action for _ in range(2)] == ["oom", "die"]
    detail = await engine.inspect_container(engine.container("one").id)
    assert (detail.exit_code, detail.out_of_memory) == (137, True)


async def test_a_log_past_its_limit_loses_its_beginning(engine):
    await engine.create_network(NETWORK)
    container = await engine.create_container(spec(limits=Limits(log_bytes=250)))
    await engine.start_container(container)
    await asyncio.sleep(0.01)
    for number in range(4):
        engine.containers[container].say(f"{number}\n".encode())
    said = b"".join([chunk.data async for chunk in engine.read_log(container, follow=False)])
    assert b"1234567" not in said
    assert said.endswith(b"3\n")


async def test_a_second_client_finds_everything_as_the_first_left_it(engine):
    container = await running(engine)
    await engine.close()
    assert (await engine.inspect_container(container)).status == "running"
