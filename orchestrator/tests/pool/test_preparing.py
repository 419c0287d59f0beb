"""What is prepared ahead, when, and what is reported when it cannot be."""

import asyncio
import math
from datetime import timedelta

import pytest
from engine_in_memory.engine import FakeImage
from prepared_sessions import claim, dropped, ready, rows
from stage import DB, NETWORK, PROBE, WEB, verdict

from dryrun_contract.session import Phase
from dryrun_orchestrator.engine.errors import ForbiddenError
from dryrun_orchestrator.journal.errors import JournalWriteError
from dryrun_orchestrator.journal.records import DropCause, PoolState
from dryrun_orchestrator.pool import patience
from dryrun_orchestrator.pool.grounds import ONE_HOST
from dryrun_orchestrator.running import running_sessions
from dryrun_orchestrator.running import supervisor as supervisor_module


async def test_the_place_of_a_claimed_session_is_filled_again(pooled):
    async with pooled.running():
        (first,) = await ready(pooled)
        await claim(pooled, first, keep=True)
        (second,) = await ready(pooled)
        assert second != first
        assert {each.id for each in await pooled.supervisor.list()} == {first}


async def test_a_template_that_is_not_there_is_named_in_the_log_with_the_one_that_may_be_meant(stage, caplog):
    stage.changes |= {"pool": "tow=1,two=1", "pool_spare_memory": 0}
    async with stage.running():
        await asyncio.sleep(0.1)
    (warning,) = [each for each in caplog.messages if "ORCHESTRATOR_POOL" in each]
    assert "there is no template 'tow'; did you mean 'two'?" in warning


async def test_no_target_of_a_prepared_session_starts_while_the_host_answers(pooled):
    pooled.engine.images[PROBE] = FakeImage(
        log=verdict(isolated=False, reason="the host answered"), exit_after=0.01, exit_code=1
    )
    async with pooled.running():
        await asyncio.sleep(0.5)
        assert not pooled.of_image(WEB)
        assert not [c for c in pooled.engine._machine.removed if c.spec.image_id in (WEB, DB)]
        (line,) = (await pooled.supervisor.show_pool()).lines
        assert "the host answered" in line.note


async def test_it_never_holds_more_than_the_places_of_sessions(pooled):
    pooled.changes |= {"sessions_at_once": 2, "pool": "two=2"}
    async with pooled.running() as supervisor:
        first, _ = await ready(pooled, 2)
        await claim(pooled, first, keep=True)
        for _ in range(20):
            await asyncio.sleep(0.02)
            assert len(supervisor._running) <= 2
        assert len(await ready(pooled, 1)) == 1


@pytest.mark.parametrize("call", ["create_network", "create_container", "start_container"])
async def test_a_failure_is_repeated_after_a_growing_pause_and_leaves_nothing(pooled, call):
    async with pooled.running():
        await asyncio.sleep(0)
        (first,) = await ready(pooled)
        await claim(pooled, first, keep=True)
        await pooled.until(first, Phase.KEPT)
        (session_id,) = await ready(pooled)
        pooled.engine.faults.fail(call, ForbiddenError("the proxy says no"), times=1000)
        pooled.of_image(DB)[-1].become("unhealthy")
        await asyncio.sleep(1.5)
        failed = await rows(pooled, PoolState.DROPPED)
        assert 2 <= len(failed) <= 5
        async with asyncio.timeout(5):
            while "next try" not in ((await pooled.supervisor.show_pool()).lines[0].note or ""):
                await asyncio.sleep(0.01)
        pooled.engine.faults.clear()
        assert len(pooled.left(session_id)) == 0
        await ready(pooled)


async def test_a_missing_image_or_template_is_said(pooled):
    del pooled.engine.images[WEB]
    pooled.changes |= {"pool": "two=1,absent=1"}
    async with pooled.running() as supervisor:
        await asyncio.sleep(0.3)
        lines = {line.template: line for line in (await supervisor.show_pool()).lines}
        assert "absent" in lines["absent"].note
        row = await dropped(pooled, DropCause.FAILED)
        assert row.reason.startswith("the image discovery/test-web:1 of service web is missing")


async def test_one_that_takes_too_long_is_not_tried_again_at_once(pooled):
    pooled.changes |= {"session_seconds": 5, "pool_least_seconds": 3, "waiting_seconds": 60}
    pooled.engine.images[WEB] = FakeImage(health_after=math.inf)
    async with pooled.running():
        row = await dropped(pooled, DropCause.FAILED)
        assert row.reason == "it took too long to get ready"


async def test_nothing_is_prepared_while_a_session_starts(pooled):
    pooled.engine.images[DB] = FakeImage(health_after=math.inf)
    pooled.changes |= {"pool": "", "waiting_seconds": 60}
    async with pooled.running():
        session_id = await pooled.start()
        await pooled.until(session_id, Phase.WAITING)
    pooled.changes["pool"] = "two=1"
    async with pooled.running() as supervisor:
        await pooled.eventually(lambda: supervisor.fault is None and pooled.isolation.last)
        await asyncio.sleep(0.3)
        assert await rows(pooled, PoolState.PREPARING, PoolState.READY) == []
        (line,) = (await pooled.supervisor.show_pool()).lines
        assert "starting" in line.note
        pooled.engine.images[DB] = FakeImage(health_after=0.02)
        pooled.of_image(DB)[0].become("healthy")
        await pooled.ended(session_id)
        await ready(pooled)


@pytest.mark.parametrize("way", ["patience ends", "the clock was set back"])
async def test_nothing_is_prepared_beside_a_scan_for_a_while(pooled, monkeypatch, way):
    pooled.engine.images[NETWORK] = FakeImage()  # it never ends
    async with pooled.running() as supervisor:
        (first,) = await ready(pooled)
        await claim(pooled, first)
        await pooled.until(first, Phase.SCANNING)
        await asyncio.sleep(0.3)
        assert await rows(pooled, PoolState.PREPARING, PoolState.READY) == []
        (line,) = (await pooled.supervisor.show_pool()).lines
        assert line.note == "a session is being scanned or removed"
        if way == "patience ends":
            monkeypatch.setattr(patience, "PATIENCE", timedelta(0))
        else:
            supervisor._pool._patience._measured_since[ONE_HOST] += timedelta(hours=1)
        await ready(pooled)
        assert (await pooled.supervisor.show(first)).phase is Phase.SCANNING


async def test_a_session_that_starts_before_another_has_ended_is_no_pause(pooled):
    pooled.engine.images[NETWORK] = FakeImage()  # it never ends
    async with pooled.running() as supervisor:
        (first,) = await ready(pooled)
        await claim(pooled, first)
        await pooled.until(first, Phase.SCANNING)
        pooled.engine.images[DB] = FakeImage(health_after=math.inf)
        second = await pooled.start()
        await pooled.until(second, Phase.WAITING)
        supervisor._pool._patience._measured_since[ONE_HOST] -= patience.PATIENCE
        await supervisor.stop(first)
        await pooled.ended(first)
        await asyncio.sleep(0.2)  # it looks meanwhile
        pooled.engine.images[DB] = FakeImage(health_after=0.02)
        (slow,) = pooled.of_image(DB)
        slow.become("healthy")
        await ready(pooled)
        assert (await pooled.supervisor.show(second)).phase is Phase.SCANNING


async def test_fewer_in_the_settings_drop_the_rest(pooled):
    pooled.changes["pool"] = "two=2"
    async with pooled.running():
        await ready(pooled, 2)
    pooled.changes["pool"] = ""
    async with pooled.running():
        await pooled.eventually(lambda: not pooled.engine.networks)
        assert not pooled.engine.containers


async def test_an_orderly_end_leaves_nothing(pooled):
    async with pooled.running() as supervisor:
        await ready(pooled)
    pooled.write_collectors()
    async with pooled.running() as supervisor:
        await ready(pooled)
        task = next(t for t in asyncio.all_tasks() if "Supervisor.run" in str(t.get_coro()))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await supervisor.empty_pool()
        assert (pooled.engine.networks, pooled.engine.containers) == ({}, {})
        pooled.ends_early = True


async def test_an_end_while_nothing_can_be_stored_leaves_what_is_prepared_to_the_next_start(
    pooled, monkeypatch
):
    async def fails(*_):
        raise JournalWriteError("the journal cannot be written: full")

    async with pooled.running() as supervisor:
        await ready(pooled)
        with monkeypatch.context() as patched:
            patched.setattr(pooled.journal.pool, "drop", fails)
            await supervisor.empty_pool()
    async with pooled.running() as supervisor:
        await pooled.eventually(lambda: pooled.engine.networks)
        await ready(pooled)


async def test_what_is_due_is_removed_while_nothing_can_be_stored_and_dropped_later(pooled, monkeypatch):
    async def fails(*_):
        raise JournalWriteError("the journal cannot be written: full")

    for module in (running_sessions, supervisor_module):
        monkeypatch.setattr(module, "LOOP_RETRY_SECONDS", 0.05)
    async with pooled.running(), asyncio.timeout(20):
        (session_id,) = await ready(pooled)
        with monkeypatch.context() as patched:
            patched.setattr(pooled.journal.pool, "drop", fails)
            pooled.of_image(WEB)[0].become("unhealthy")
            await pooled.eventually(lambda: not pooled.left(session_id))
            assert [row.id for row in await rows(pooled, PoolState.READY)] == [session_id]
        assert (await dropped(pooled, DropCause.UNHEALTHY)).id == session_id
