"""An engine that refuses, is away, answers late or lacks something: a session waits, or ends and says why."""

import asyncio

import pytest
from stage import WEB

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.errors import (
    EngineDownError,
    EngineUnreachableError,
    ForbiddenError,
    GuardDownError,
    ImageNotAllowedError,
)
from dryrun_orchestrator.engine.protocol import NetworkSpec
from dryrun_orchestrator.hosts import host_check
from dryrun_orchestrator.session import cleaning_up


@pytest.mark.parametrize("call", ["remove_container", "remove_network", "read_log"])
async def test_a_missing_flag_is_named_before_anything_exists(stage, call):
    stage.engine.faults.fail(call, ForbiddenError(f"the proxy refuses {call}"), times=None)
    async with stage.running():
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert f"the proxy refuses {call}" in session.reason
        assert not stage.engine.calls_of("create_network")


async def test_a_flag_that_went_missing_later_is_named_before_a_target_starts(stage):
    async with stage.running():
        await stage.ended(await stage.start())
        before = len(stage.engine.calls_of("start_container"))
        stage.engine.faults.fail("read_traffic", ForbiddenError("the proxy refuses read_traffic"), times=None)
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert "the proxy refuses read_traffic" in session.reason
        assert {event.state for event in await stage.events_of(session_id, "target_changed")} <= {
            "created",
            "removed",
        }
        # The check itself tries to start what does not exist; the probe may have been started beside it.
        assert len(stage.engine.calls_of("start_container")) <= before + 2
        assert not stage.left(session_id)
        # From now on a session waits for the check again.
        networks = len(stage.engine.calls_of("create_network"))
        await stage.ended(await stage.start())
        assert len(stage.engine.calls_of("create_network")) == networks


async def test_a_flag_that_a_proxy_lost_as_it_started_anew_is_named_before_anything_exists(stage):
    async with stage.running():
        await stage.ended(await stage.start())
        (host,) = stage.supervisor._hosts.all
        stage.engine.faults.fail(
            "remove_network", ForbiddenError("the proxy refuses remove_network"), times=None
        )
        # The check is the slower of the two: a network that was made beside it would be there first.
        stage.engine.faults.delay("remove_container", 0.3, times=None)
        stage.engine.cut_streams()
        await stage.eventually(lambda: not host.is_followed)
        networks = len(stage.engine.calls_of("create_network"))
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert "the proxy refuses remove_network" in session.reason
        assert len(stage.engine.calls_of("create_network")) == networks


async def test_a_missing_image_is_named_and_nothing_is_left(stage):
    async with stage.running():
        await asyncio.sleep(0.2)
        del stage.engine.images[WEB]
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert "discovery/test-web:1" in session.reason
        assert "never pulled" in session.reason
        assert not stage.left(session_id)


def take_from_the_allowlist(stage, monkeypatch, service):
    """From now on the guard refuses the image of a service or collector."""
    allowed = stage.engine.create_container

    async def create(spec):
        if spec.labels[labels.SERVICE] == service:
            raise ImageNotAllowedError(f"docker-guard: the image '{spec.image_id}' is not in the allowlist")
        return await allowed(spec)

    monkeypatch.setattr(stage.engine, "create_container", create)


async def test_a_template_that_went_as_a_session_started_is_named_and_nothing_is_left(stage, monkeypatch):
    async with stage.running():
        take_from_the_allowlist(stage, monkeypatch, "web")
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert "allowlist lacks the image discovery/test-web:1 of service web" in session.reason
        assert f"the template {session.template} was removed, or its images were built" in session.reason
        assert "if that fails too" in session.reason
        assert not stage.left(session_id)


@pytest.mark.parametrize("collector", ["network", "database"])
async def test_a_collector_s_image_that_left_the_allowlist_is_named_and_nothing_is_left(
    stage, monkeypatch, collector
):
    async with stage.running():
        take_from_the_allowlist(stage, monkeypatch, collector)
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        image = f"discovery/test-collector-{collector}:1"
        assert f"allowlist lacks the image {image} of collector {collector}" in session.reason
        assert "`dryrun-local images build`" in session.reason
        assert not stage.left(session_id)


async def test_an_engine_that_is_down_at_the_start_is_reported_and_nothing_is_left(stage):
    stage.changes["engine_wait_seconds"] = 0.5
    stage.engine.go_down()
    async with stage.running():
        session_id = await stage.start()
        await stage.until(session_id, Phase.CLEANING_UP)
        stage.engine.come_up()
        session = await stage.ended(session_id)
        assert "does not answer" in session.reason


@pytest.mark.parametrize(
    ("error", "said", "other"),
    [
        (EngineDownError, "the Docker Engine does not answer (refused); start it, `dryrun-local", "compose"),
        (
            GuardDownError,
            "the guard before the Docker Engine does not answer (refused); start it: `docker",
            "doctor",
        ),
        (
            EngineUnreachableError,
            "the Docker Engine, or the guard before it, does not answer (refused)",
            "none",
        ),
        (None, "the Docker Engine, or the guard before it, does not answer (no answer within 0.3 s)", "none"),
    ],
)
async def test_a_session_that_waited_for_the_engine_names_what_does_not_answer(
    stage, monkeypatch, error, said, other
):
    stage.changes["engine_wait_seconds"] = 0.3

    async def ping():
        if error is None:
            await asyncio.sleep(60)
        raise error("refused")

    async with stage.running():
        monkeypatch.setattr(stage.engine, "ping", ping)
        session = await stage.ended(await stage.start())
    assert session.reason is not None
    assert said in session.reason
    assert other not in session.reason
    assert not stage.left(session.id)


@pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.WAITING, Phase.SCANNING, Phase.CLEANING_UP])
async def test_an_engine_that_is_down_for_a_while_costs_only_time(stage, phase):
    async with stage.running():
        session_id = await stage.start()
        await stage.until(session_id, phase)
        stage.engine.go_down()
        await asyncio.sleep(0.3)
        stage.engine.come_up()
        session = await stage.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        found = await stage.events_of(session_id, "discovery_reported")
        assert [event.line for event in found] == [2, 3, 4]
        assert not stage.left(session_id)


async def test_a_check_that_could_not_be_made_is_made_again_although_a_session_was_probed_meanwhile(stage):
    stage.changes["reaper_seconds"] = 2
    stage.engine.faults.fail("create_network", ForbiddenError("the clock is an hour off"))
    async with stage.running() as supervisor:
        await stage.eventually(lambda: supervisor.fault)
        session_id = await stage.start()
        await stage.until_stored(session_id, "isolation_probed")
        assert supervisor.fault is not None
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        await stage.eventually(lambda: supervisor.fault is None)


async def test_a_host_whose_engine_has_come_back_is_checked_at_once(stage, monkeypatch):
    monkeypatch.setattr(host_check, "RETRY_SECONDS", 3600)
    stage.changes["reaper_seconds"] = 3600
    stage.engine.go_down()
    async with stage.running() as supervisor:
        await stage.eventually(lambda: supervisor.fault)
        stage.engine.come_up()
        await stage.eventually(lambda: supervisor.fault is None)


async def test_a_host_that_cannot_be_used_is_checked_more_often_than_is_searched_for_leftovers(
    stage, monkeypatch
):
    monkeypatch.setattr(host_check, "RETRY_SECONDS", 0.5)
    stage.changes["reaper_seconds"] = 3600
    stage.engine.faults.fail("create_network", ForbiddenError("rule ceiling"))
    async with stage.running() as supervisor:
        await stage.eventually(lambda: supervisor.fault)
        await stage.eventually(lambda: supervisor.fault is None)


async def test_a_create_whose_answer_was_lost_is_adopted(stage):
    for call in ("create_network", "create_container"):
        stage.engine.faults.lose(call, lands_after=0.05, times=3)
    async with stage.running():
        session_id = await stage.start()
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        await asyncio.sleep(0.5)
        assert not stage.left(session_id)


async def test_a_create_that_lands_after_the_end_is_reaped(stage):
    async with stage.running() as supervisor:
        await asyncio.sleep(0.2)
        session_id = await stage.start()
        stage.engine.faults.lose("create_container", lands_after=0.5, times=None)
        await stage.eventually(lambda: stage.engine.networks)
        await supervisor.stop(session_id)
        await stage.ended(session_id)
        stage.engine.faults.clear()
        await asyncio.sleep(1.2)
        assert not stage.left(session_id)


@pytest.mark.parametrize("call", ["create_network", "create_container"])
async def test_a_create_that_a_stop_interrupts_is_removed_before_the_session_has_ended(stage, call):
    async with stage.running() as supervisor:
        await stage.eventually(lambda: stage.isolation.last and not stage.isolation.checking)
        stage.changes["reaper_seconds"] = 3600
        before = len(stage.engine.calls_of(call))
        stage.engine.faults.delay(call, 0.5, times=None)
        session_id = await stage.start()
        await stage.eventually(lambda: len(stage.engine.calls_of(call)) > before)
        await supervisor.stop(session_id)
        await stage.ended(session_id)
        assert not stage.left(session_id)


async def test_no_free_subnet_is_reported_with_the_pool(stage):
    stage.changes["subnet_pool"] = "10.213.0.0/27"
    spec = NetworkSpec(name="foreign", bridge="br-foreign", subnet="10.213.0.0/24", labels={})
    await stage.engine.create_network(spec)
    async with stage.running():
        session = await stage.ended(await stage.start())
        assert "10.213.0.0/27" in session.reason
        assert "no subnet is free" in session.reason
    assert len(stage.engine.networks) == 1


async def test_a_cleanup_that_fails_for_a_moment_says_nothing(stage):
    async with stage.running() as supervisor:
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
        stage.engine.faults.fail("list_networks", EngineUnreachableError("busy"), times=None)
        await supervisor.stop(session_id)
        await asyncio.sleep(1)
        stage.engine.faults.clear()
        await stage.ended(session_id)
        phases = [event.phase for event in await stage.events_of(session_id, "phase_changed")]
        assert phases.count(Phase.CLEANING_UP) == 1


async def test_a_cleanup_that_is_stuck_says_why_once_and_ends_as_it_would_have(stage, monkeypatch):
    monkeypatch.setattr(cleaning_up, "STUCK_SECONDS", 0.3)
    monkeypatch.setattr(cleaning_up, "MAX_PAUSE_SECONDS", 0.1)
    async with stage.running() as supervisor:
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
        stage.engine.faults.fail("list_networks", EngineUnreachableError("too\x1b busy"), times=None)
        await supervisor.stop(session_id)

        async def said():
            changes = await stage.events_of(session_id, "phase_changed")
            return [each.reason for each in changes if each.reason and "not everything" in each.reason]

        async with asyncio.timeout(10):
            while not await said():
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        stage.engine.faults.clear()
        session = await stage.ended(session_id)
        (why,) = await said()
        assert r"too\x1b busy" in why
        assert (session.outcome, "busy" in (session.reason or "")) == (Outcome.STOPPED, False)
        assert not stage.left(session_id)


async def test_a_cleanup_that_is_stuck_for_causes_that_alternate_says_so_ever_more_rarely(stage, monkeypatch):
    monkeypatch.setattr(cleaning_up, "STUCK_SECONDS", 0.1)
    monkeypatch.setattr(cleaning_up, "MAX_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(cleaning_up, "FIRST_PAUSE_SECONDS", 0.02)
    async with stage.running() as supervisor:
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
        for number in range(1000):
            stage.engine.faults.fail("list_networks", EngineUnreachableError(f"cause {number}"))
        await supervisor.stop(session_id)
        await asyncio.sleep(2)
        stage.engine.faults.clear()
        await stage.ended(session_id)
        changes = await stage.events_of(session_id, "phase_changed")
        # After 0.1, 0.3, 0.7 and 1.5 s.
        assert 2 <= len([each for each in changes if each.reason and "not everything" in each.reason]) <= 5
