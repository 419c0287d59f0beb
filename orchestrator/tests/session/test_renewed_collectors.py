"""What nothing could be handed over to begins anew: once, in its own name, whatever ends meanwhile."""

import asyncio

import pytest
from engine_in_memory.engine import FakeImage
from stage import DATABASE
from standing_by import stood_by

from dryrun_contract.session import Outcome
from dryrun_orchestrator.engine.errors import EngineUnreachableError, ForbiddenError
from dryrun_orchestrator.session import standby

STEPS = ["remove_container", "create_container", "start_container"]
BROKEN = EngineUnreachableError("the connection broke")


@pytest.fixture
def swallow(stage, monkeypatch):
    """Return a call from which on what is sent is lost."""
    monkeypatch.setattr(standby, "CONFIRMED_SECONDS", 0.03)

    async def send_input(container_id, data):
        pass

    return lambda: monkeypatch.setattr(stage.engine, "send_input", send_input)


@pytest.fixture
def worker(stage):
    """Make the second collector one that works on what it is handed until the event is set."""
    done = asyncio.Event()

    async def work(container):
        await container.line()
        container.say(b'{"type":"discovery","kind":"table","key":"a"}\n')
        await done.wait()
        container.say(b'{"type":"discovery","kind":"table","key":"b"}\n{"type":"end","discoveries":2}\n')
        return 0

    stage.engine.images[DATABASE] = FakeImage(program=work)
    return done


def at_renewal(stage, monkeypatch, call, happen):
    """Have `happen` take the place of the first such call by which the second collector is renewed."""
    original, reached = getattr(stage.engine, call), asyncio.Event()

    async def replaced(about):
        container = stage.engine.containers.get(about) if isinstance(about, str) else None
        spec = about if container is None else container.spec
        is_of_it = getattr(spec, "image_id", None) == DATABASE
        if reached.is_set() or not is_of_it or spec.stdin != (call == "remove_container"):
            return await original(about)
        reached.set()
        return await happen(lambda: original(about))

    monkeypatch.setattr(stage.engine, call, replaced)
    return reached


async def completed(stage, session_id):
    """Wait for the end, and check that each collector began once, ended once and left nothing."""
    session = await stage.ended(session_id)
    assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
    started = await stage.events_of(session_id, "collector_started")
    ended = await stage.events_of(session_id, "collector_ended")
    assert [event.collector for event in started] == ["network", "database"]
    assert [(event.complete, event.reason) for event in ended] == [(True, None)] * 2
    assert [event.run for event in started] == [event.run for event in ended]
    assert not stage.left(session_id)


async def tables(stage, session_id):
    found = await stage.events_of(session_id, "discovery_reported")
    return [event.discovery.key for event in found if event.discovery.kind == "table"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", STEPS)
async def test_killed_while_it_is_renewed_it_begins_once(
    stage, waiter, gate, swallow, monkeypatch, call, after
):
    killed = asyncio.Event()

    async def die(do):
        if after:
            await do()
        killed.set()
        await asyncio.Event().wait()

    at_renewal(stage, monkeypatch, call, die)
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        swallow()
        gate.set()
        async with asyncio.timeout(5):
            await killed.wait()
    async with stage.running():
        await completed(stage, session_id)
    assert waiter.lines == [None]


@pytest.mark.parametrize("call", STEPS)
async def test_an_engine_that_fails_while_it_is_renewed_is_asked_again(
    stage, waiter, gate, swallow, monkeypatch, call
):
    async def fail(do):
        raise BROKEN

    reached = at_renewal(stage, monkeypatch, call, fail)
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        swallow()
        gate.set()
        await completed(stage, session_id)
    assert reached.is_set()
    assert waiter.lines == [None]


async def test_where_every_connection_breaks_it_begins_anew_long_before_its_time_is_over(
    stage, waiter, gate, monkeypatch
):
    monkeypatch.setattr(standby, "AGAIN_SECONDS", 0.001)
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        stage.engine.faults.fail("send_input", BROKEN, times=None)
        gate.set()
        await completed(stage, session_id)
    assert waiter.lines == [None]


async def test_an_input_that_gets_no_answer_holds_up_one_session_for_a_moment(
    stage, waiter, gate, monkeypatch
):
    monkeypatch.setattr(standby, "TRIED_SECONDS", 0.1)
    gate.set()
    async with stage.running():
        for _ in range(2):
            stage.engine.faults.hang("send_input", seconds=60, times=None)
            session_id = await stage.start()
            await completed(stage, session_id)
        assert len(stage.engine.calls_of("send_input")) == 1
    assert waiter.lines == [None, None]


async def test_an_input_that_stalls_in_the_middle_is_sent_to_a_new_container(
    stage, waiter, gate, monkeypatch
):
    monkeypatch.setattr(standby, "SENT_SECONDS", 0.05)
    monkeypatch.setattr(standby, "CONFIRMED_SECONDS", 0.05)
    async with stage.running():
        session_id = await stage.start()
        await stood_by(stage)
        stage.engine.faults.hang("send_input", seconds=60, times=None)
        gate.set()
        await completed(stage, session_id)
    assert waiter.lines == [None]


async def test_one_that_speaks_goes_on_though_each_connection_breaks_once_all_is_through(
    stage, gate, worker, monkeypatch
):
    monkeypatch.setattr(standby, "AGAIN_SECONDS", 0.001)
    async with stage.running():
        session_id = await stage.start()
        container = await stood_by(stage)
        stage.engine.faults.fail("send_input", BROKEN, times=standby.MOST_BROKEN + 1, after=True)
        gate.set()
        await stage.eventually(lambda: len(stage.engine.calls_of("send_input")) > standby.MOST_BROKEN)
        await asyncio.sleep(0.05)
        assert container.id in stage.engine.containers
        worker.set()
        await completed(stage, session_id)
        assert await tables(stage, session_id) == ["a", "b"]


async def test_one_that_speaks_goes_on_though_its_input_is_refused_after_a_restart(stage, gate, worker):
    async with stage.running():
        session_id = await stage.start()
        container = await stood_by(stage)
        gate.set()
        async with asyncio.timeout(5):
            while not await tables(stage, session_id):
                await asyncio.sleep(0.01)
    stage.engine.faults.fail("send_input", ForbiddenError("written too often"), times=None)
    async with stage.running():
        await stage.eventually(lambda: len(stage.engine.calls_of("send_input")) > 2)
        await asyncio.sleep(0.05)
        assert container.id in stage.engine.containers
        worker.set()
        await completed(stage, session_id)
        assert await tables(stage, session_id) == ["a", "b"]
