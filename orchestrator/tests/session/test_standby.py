"""A collector starts before its turn, waits for what others find, and touches nothing until then."""

import asyncio
import json

import pytest
from engine_in_memory.engine import FakeImage
from stage import DATABASE, NETWORK, NETWORK_OUTPUT, hosts
from standing_by import stood_by

from dryrun_contract.collector_config import from_input
from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.errors import ConflictError, EngineUnreachableError, ForbiddenError
from dryrun_orchestrator.session import standby


async def test_it_is_started_early_and_reported_in_its_turn(stage, waiter, gate):
    async with stage.running():
        session_id = await stage.start()
        container = await stood_by(stage)
        config = json.loads(container.spec.environment["DISCOVERY_CONFIG"])
        assert (config["awaits_discoveries"], config["discoveries"]) == (True, [])
        assert container.spec.stdin
        assert container.input == b"\n"
        started = await stage.events_of(session_id, "collector_started")
        assert [event.collector for event in started] == ["network"]
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        order = [
            (event.type, event.collector)
            for event in await stage.events_of(session_id, "collector_started", "collector_ended")
        ]
        assert order == [
            ("collector_started", "network"),
            ("collector_ended", "network"),
            ("collector_started", "database"),
            ("collector_ended", "database"),
        ]
        ended = await stage.events_of(session_id, "collector_ended")
        assert all(event.complete for event in ended)
        assert not stage.left(session_id)
    (line,) = waiter.lines
    (service,) = from_input(line)
    assert (service.key, service.data) == ("10.213.0.2:80/tcp", {"product": "nginx"})


async def test_it_is_the_same_search_as_one_that_was_started_in_its_turn(stage, waiter, gate):
    gate.set()
    digests = []
    for fault in (None, ForbiddenError("no attach here")):
        if fault is not None:
            stage.engine.faults.fail("send_input", fault, times=None)
        async with stage.running():
            session_id = await stage.start()
            await stage.ended(session_id)
            started = await stage.events_of(session_id, "collector_started")
        digests.append([event.config_digest for event in started])
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "error",
    [ForbiddenError("POST /attach: the proxy"), ConflictError("it ended"), EngineUnreachableError("x")],
)
async def test_where_its_input_cannot_be_written_it_waits_for_its_turn_outside(stage, waiter, gate, error):
    stage.engine.faults.fail("send_input", error)
    async with stage.running():
        session_id = await stage.start()
        await stage.eventually(lambda: stage.engine.calls_of("send_input"))
        await stage.eventually(lambda: not stage.of_image(DATABASE))
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
    assert waiter.lines == [None]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [ForbiddenError("OpenStdin: an older guard"), EngineUnreachableError("x")])
async def test_where_it_cannot_be_created_early_it_is_created_in_its_turn(
    stage, waiter, gate, error, after, monkeypatch
):
    create, failed = stage.engine.create_container, []

    async def create_container(spec):
        if not spec.stdin:
            return await create(spec)
        failed.append(spec.name)
        if after:
            await create(spec)
        raise error

    monkeypatch.setattr(stage.engine, "create_container", create_container)
    async with stage.running():
        session_id = await stage.start()
        await stage.eventually(lambda: failed)
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        ended = await stage.events_of(session_id, "collector_ended")
        assert [event.complete for event in ended] == [True, True]
    assert (waiter.lines, len(failed)) == ([None], 1)


async def test_what_was_lost_on_the_way_is_sent_again(stage, waiter, gate, monkeypatch):
    monkeypatch.setattr(standby, "CONFIRMED_SECONDS", 0.05)
    monkeypatch.setattr(standby, "AGAIN_SECONDS", 0.01)
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        stage.engine.faults.fail("send_input", EngineUnreachableError("the connection broke"), times=2)
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        ended = await stage.events_of(session_id, "collector_ended")
        assert [event.complete for event in ended] == [True, True]
    assert len(waiter.lines) == 1


@pytest.mark.parametrize("way", ["refused", "swallowed"])
async def test_what_cannot_be_handed_over_is_sent_to_a_new_container(stage, waiter, gate, monkeypatch, way):
    monkeypatch.setattr(standby, "CONFIRMED_SECONDS", 0.05)

    async def swallow(container_id, data):
        pass

    async with stage.running():
        session_id = await stage.start()
        first = await stood_by(stage)
        if way == "refused":
            stage.engine.faults.fail("send_input", ForbiddenError("not any more"), times=None)
        else:
            monkeypatch.setattr(stage.engine, "send_input", swallow)
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        started = await stage.events_of(session_id, "collector_started")
        ended = await stage.events_of(session_id, "collector_ended")
        assert [event.collector for event in started] == ["network", "database"]
        assert [event.complete for event in ended] == [True, True]
        assert first.id not in stage.engine.containers
        # Nobody tries again for a while.
        again = await stage.start()
        await stage.ended(again)
        assert not stage.left(session_id)
    assert waiter.lines == [None, None]


async def test_an_output_that_cannot_be_read_is_not_taken_for_a_refused_input(stage, gate):
    async def work(container):
        await container.line()
        stage.engine.faults.fail("read_log", ForbiddenError("no logs any more"), times=None)
        return 0

    stage.engine.images[DATABASE] = FakeImage(program=work)
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        gate.set()
        session = await stage.ended(session_id)
    assert (session.outcome, session.reason) == (Outcome.FAILED, "no logs any more")


async def test_one_that_speaks_while_it_waits_is_handed_over_all_the_same(stage, gate, monkeypatch):
    monkeypatch.setattr(standby, "AGAIN_SECONDS", 0.2)
    lines = []

    async def speak(container):
        container.say(b'{"type":"warning","message":"I wait"}\n')
        lines.append(await container.line())
        for chunk in hosts():
            container.say(chunk.data)
        return 0

    stage.engine.images[DATABASE] = FakeImage(program=speak)
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        stage.engine.faults.fail("send_input", EngineUnreachableError("the connection broke"))
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
    assert len(lines) == 1


async def test_one_that_dies_while_it_waits_is_an_incomplete_run(stage, waiter, gate):
    async with stage.running():
        session_id = await stage.start()
        container = await stood_by(stage)
        stage.engine.kill(container.id)
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        _, ended = await stage.events_of(session_id, "collector_ended")
        assert (ended.complete, ended.exit_code) == (False, 137)


async def test_killed_while_it_waits_the_session_goes_on(stage, waiter, gate):
    async with stage.running():
        session_id = await stage.start()
        first = await stood_by(stage)
    async with stage.running():
        await stage.eventually(lambda: first.id not in stage.engine.containers)
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        ended = await stage.events_of(session_id, "collector_ended")
        assert [event.complete for event in ended] == [True, True]
        assert not stage.left(session_id)


async def test_one_that_somebody_removes_before_we_do_ends_nothing(stage, waiter, gate, monkeypatch):
    async with stage.running():
        session_id = await stage.start()
        first = await stood_by(stage)
    inspect = stage.engine.inspect_container

    async def inspect_container(container_id):
        if container_id == first.id and first.id in stage.engine.containers:
            await stage.engine.remove_container(first.id)
        return await inspect(container_id)

    monkeypatch.setattr(stage.engine, "inspect_container", inspect_container)
    gate.set()
    async with stage.running():
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED


async def test_killed_after_its_turn_began_it_is_handed_over_once_more(stage, waiter, gate):
    async with stage.running():
        session_id = await stage.start()
        container = await stood_by(stage)
        stage.engine.faults.fail("send_input", EngineUnreachableError("the connection broke"), times=None)
        gate.set()
        await stage.until_stored(session_id, "collector_ended")
        await stage.eventually(lambda: len(stage.engine.calls_of("send_input")) > 1)
    stage.engine.faults = type(stage.engine.faults)()
    async with stage.running():
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        started = await stage.events_of(session_id, "collector_started")
        assert [event.collector for event in started] == ["network", "database"]
    assert len(waiter.lines) == 1
    assert from_input(waiter.lines[0]) is not None
    assert container.exit_code == 0


async def test_a_stop_while_it_waits_leaves_nothing(stage, waiter, gate):
    async with stage.running() as supervisor:
        session_id = await stage.start()
        await stood_by(stage)
        await supervisor.stop(session_id)
        await stage.until(session_id, Phase.ENDED)
        assert not stage.left(session_id)


async def test_it_takes_no_place_that_another_needs(stage, waiter, gate):
    (stage.folder / "collectors" / "second.yml").write_text(
        "name: second\nimage: discovery/test-collector-network:1\nsummary: x\n"
        "provides: [service]\nneeds: []\ncredentials: []\ntimeout_seconds: 30\n"
    )
    async with stage.running():
        session_id = await stage.start()
        await stage.eventually(lambda: len(stage.of_image(NETWORK)) == 2)
        await stage.until_stored(session_id, "discovery_reported")
        await asyncio.sleep(0.05)
        assert not stage.of_image(DATABASE)
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
    assert waiter.lines == [None]


async def test_after_a_restart_nobody_gets_a_place_whose_container_runs(stage):
    for name in ("alpha", "zeta"):
        (stage.folder / "collectors" / f"{name}.yml").write_text(
            f"name: {name}\nimage: discovery/test-collector-network:1\nsummary: x\n"
            "provides: [table]\nneeds: [service]\ncredentials: []\ntimeout_seconds: 30\n"
        )
    first_ends, second_ends, others_end = (asyncio.Event() for _ in range(3))

    async def scan(container):
        is_first = container.spec.labels[labels.SERVICE] == "network"
        said = NETWORK_OUTPUT if is_first else hosts()
        for chunk in said[:-1]:
            container.say(chunk.data)
        await (first_ends if is_first else others_end).wait()
        container.say(said[-1].data)
        return 0

    async def inspect(container):
        await container.line()
        await second_ends.wait()
        for chunk in hosts():
            container.say(chunk.data)
        return 0

    def of_last():
        return [each for each in stage.of_image(NETWORK) if each.spec.labels[labels.SERVICE] == "zeta"]

    stage.engine.images.update({NETWORK: FakeImage(program=scan), DATABASE: FakeImage(program=inspect)})
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        first_ends.set()
        async with asyncio.timeout(10):
            while len(await stage.events_of(session_id, "collector_started")) < 3:
                await asyncio.sleep(0.01)
    # `database` took its place before `alpha`, which comes before it where places are given in turn.
    async with stage.running():
        second_ends.set()
        await stage.eventually(of_last)
        others_end.set()
        session = await stage.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        ended = await stage.events_of(session_id, "collector_ended")
        assert [event.complete for event in ended] == [True] * 4
