"""What becomes of targets is reported as it was, and the scan is blamed for what nobody else did."""

import asyncio
import math

import pytest
from engine_in_memory.engine import FakeImage, stdout
from stage import DATABASE, DB, NETWORK, WEB, images

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.engine.errors import EngineUnreachableError
from dryrun_orchestrator.session import scanning, target_states


async def target_in_scan(stage, seconds=0.5):
    """Return a session in whose scan the network is looked at for a while, and its target `db`."""
    stage.engine.images[NETWORK] = FakeImage(log=images()[NETWORK].log, exit_after=seconds)
    session_id = await stage.start()
    await stage.until_stored(session_id, "collector_started")
    (victim,) = stage.of_image(DB)
    return session_id, victim


async def test_a_target_that_dies_at_its_start_fails_the_session_with_its_last_words(stage):
    stage.engine.images[DB] = FakeImage(
        log=stdout("FATAL: no disk"), exit_after=0.01, exit_code=3, health_after=9
    )
    async with stage.running():
        session = await stage.ended(await stage.start())
        assert "service db" in session.reason
        assert "exit code 3" in session.reason
        assert "FATAL: no disk" in session.reason


async def test_a_target_that_never_gets_healthy_is_named_when_time_is_up(stage):
    stage.engine.images[DB] = FakeImage(health_after=float("inf"))
    stage.changes["waiting_seconds"] = 0.5
    async with stage.running():
        session = await stage.ended(await stage.start())
        assert session.outcome is Outcome.FAILED
        assert "db is starting" in session.reason


async def test_what_healed_in_an_earlier_phase_does_not_hide_which_target_is_not_healthy(stage):
    stage.engine.images[DB] = FakeImage(health_after=float("inf"))
    stage.changes["waiting_seconds"] = 0.5
    async with stage.running():
        await stage.eventually(lambda: stage.isolation.last and not stage.isolation.checking)
        stage.engine.faults.fail("create_network", EngineUnreachableError("the connection broke"))
        session = await stage.ended(await stage.start())
        assert session.reason == (
            "phase waiting did not end within 0.5 s; not healthy: db is starting, web is created"
        )


async def test_a_target_that_dies_during_the_scan_is_reported_as_harm_and_the_scan_continues(stage):
    async with stage.running():
        session_id, victim = await target_in_scan(stage)
        victim.end(137, out_of_memory=True)
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        (harm,) = await stage.events_of(session_id, "target_harmed")
        assert (harm.service, harm.harm, harm.during) == ("db", "out_of_memory", ("network",))
        (traffic,) = await stage.events_of(session_id, "traffic_measured")
        assert traffic.targets["db"].at_least
        assert not traffic.targets["web"].at_least


async def test_an_unhealthy_target_is_reported_with_the_output_of_its_check(stage):
    async with stage.running():
        session_id, victim = await target_in_scan(stage)
        victim.become("unhealthy", "connect: \x1b[31mrefused\n")
        await stage.ended(session_id)
        (harm,) = await stage.events_of(session_id, "target_harmed")
        assert (harm.service, harm.harm) == ("db", "unhealthy")
        assert r"is unhealthy; its health check said: connect: \x1b[31mrefused" in harm.detail


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda engine, db: engine.kill(db.id), "service db was stopped by somebody else"),
        (lambda engine, db: engine.vanish(db.id), "service db was removed by somebody else"),
        (lambda engine, db: engine.pause(db.id), "service db was paused by somebody else"),
        (lambda engine, db: engine.take_off_network(db.id), "service db is on no network"),
        (lambda engine, db: engine.go_down(lose_containers=True), "the engine does not remember"),
    ],
    ids=["stopped", "removed", "paused", "taken off its network", "engine restarted"],
)
async def test_what_somebody_else_did_to_a_target_is_not_blamed_on_the_scan(stage, harm, says):
    async with stage.running():
        session_id, victim = await target_in_scan(stage)
        harm(stage.engine, victim)
        stage.engine.come_up()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert says in session.reason
        assert "run it again" in session.reason
        assert not await stage.events_of(session_id, "target_harmed")
        assert not stage.left(session_id)


async def test_a_target_that_was_paused_before_the_scan_is_not_said_to_have_ended(stage):
    stage.engine.images[DB] = FakeImage(health_after=float("inf"))
    async with stage.running():
        session_id = await stage.start()
        await stage.until(session_id, Phase.WAITING)
        await stage.eventually(lambda: any(db.status == "running" for db in stage.of_image(DB)))
        (victim,) = stage.of_image(DB)
        stage.engine.pause(victim.id)
        victim.become("unhealthy")
        session = await stage.ended(session_id)
        assert session.reason == "service db was paused by somebody else"


def take_off_and_heal(engine, container):
    engine.take_off_network(container.id)
    container.become("healthy")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (
            lambda engine, db: engine.kill(db.id),
            "service db was stopped by somebody else and ended with exit",
        ),
        (lambda engine, db: engine.vanish(db.id), "service db: its container was removed by somebody else"),
        (take_off_and_heal, "service db is on no network"),
    ],
    ids=["stopped", "removed", "taken off its network"],
)
async def test_what_somebody_else_did_to_a_waiting_target_is_reported_as_such(stage, harm, says):
    stage.engine.images[DB] = FakeImage(health_after=float("inf"))
    async with stage.running():
        session_id = await stage.start()
        await stage.until(session_id, Phase.WAITING)
        (victim,) = stage.of_image(DB)
        await stage.eventually(lambda: victim.is_running)
        harm(stage.engine, victim)
        assert says in (await stage.ended(session_id)).reason


async def test_a_target_that_was_removed_before_its_start_is_named(stage):
    stage.engine.faults.delay("start_container", 0.3, times=1)
    async with stage.running():
        session_id = await stage.start()
        await stage.until(session_id, Phase.WAITING)
        (victim,) = stage.of_image(DB)
        stage.engine.vanish(victim.id)
        reason = (await stage.ended(session_id)).reason
        assert reason == "service db: its container was removed by somebody else"


async def test_a_target_that_dies_as_the_last_collector_ends_is_reported_as_harm(stage, monkeypatch):
    async def too_late(context):
        await asyncio.sleep(60)

    monkeypatch.setattr(scanning, "watch_for_harm", too_late)

    async def end_it(container):
        (victim,) = stage.of_image(DB)
        victim.end(139)
        container.say(images()[NETWORK].log[0].data)
        return 0

    stage.engine.images[DATABASE] = FakeImage(program=end_it)
    async with stage.running():
        session_id = await stage.start()
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        (harm,) = await stage.events_of(session_id, "target_harmed")
        assert (harm.service, harm.harm) == ("db", "died")


@pytest.mark.parametrize(("deaf", "harmed"), [(WEB, DB), (DB, WEB)], ids=["web", "db"])
async def test_a_target_that_cannot_be_asked_hides_no_harm_of_another(stage, monkeypatch, deaf, harmed):
    inspect = stage.engine.inspect_container
    silent = set()

    async def inspect_others(container_id):
        if container_id in silent:
            raise EngineUnreachableError("no answer")
        return await inspect(container_id)

    monkeypatch.setattr(stage.engine, "inspect_container", inspect_others)
    async with stage.running():
        session_id, _ = await target_in_scan(stage)
        silent.update(target.id for target in stage.of_image(deaf))
        stage.of_image(harmed)[0].end(139)
        await stage.until_stored(session_id, "target_harmed")
        silent.clear()
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED


async def keep_busy(container):
    """Have the engine report events about a container until cancelled."""
    while True:
        container.become("unhealthy" if container.health == "healthy" else "healthy")
        await asyncio.sleep(0.01)


async def test_only_the_container_of_an_event_is_inspected(stage, monkeypatch):
    monkeypatch.setattr(target_states, "LOOK_AGAIN_SECONDS", 60.0)
    async with stage.running():
        session_id, victim = await target_in_scan(stage)
        (collector,) = stage.of_image(NETWORK)
        (other,) = stage.of_image(WEB)
        events = asyncio.create_task(keep_busy(collector))
        await asyncio.sleep(0.1)
        begun = len(stage.engine.calls_of("inspect_container"))
        await asyncio.sleep(0.1)
        victim.become("unhealthy")
        await stage.until_stored(session_id, "target_harmed")
        events.cancel()
        inspected = [call.about for call in stage.engine.calls_of("inspect_container")[begun:]]
        assert victim.id in inspected
        assert other.id not in inspected


async def test_what_no_event_reports_is_seen_though_others_are_reported_all_the_time(stage, monkeypatch):
    monkeypatch.setattr(target_states, "LOOK_AGAIN_SECONDS", 0.2)
    async with stage.running():
        session_id, victim = await target_in_scan(stage, seconds=math.inf)
        (collector,) = stage.of_image(NETWORK)
        events = asyncio.create_task(keep_busy(collector))
        stage.engine.pause(victim.id)
        async with asyncio.timeout(10):  # long before anything else has all containers looked at
            session = await stage.ended(session_id)
        events.cancel()
        assert "service db was paused by somebody else" in session.reason
