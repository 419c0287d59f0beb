"""Prepared sessions over the engine in memory: prepared, claimed once, dropped, resumed after a crash."""

import asyncio
import json
import math
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from engine_in_memory.engine import FakeEngine, FakeImage
from stage import DB, PROBE, WEB, Stage, images, verdict

from dryrun_contract.event import SessionQueued
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Outcome, Phase, SessionRequest
from dryrun_orchestrator import labels
from dryrun_orchestrator import supervisor as supervisor_module
from dryrun_orchestrator.engine.protocol import ForbiddenError
from dryrun_orchestrator.journal.records import DropCause, PoolState
from dryrun_orchestrator.pool import pool as pool_module
from dryrun_orchestrator.session.isolation import Verdict
from dryrun_orchestrator.supervisor import SessionDiffersError, UnknownSessionError

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(supervisor_module, "REREAD_SECONDS", 0.05)
    monkeypatch.setattr(pool_module, "FIRST_PAUSE", timedelta(seconds=0.2))


@pytest.fixture
def pooled(stage):
    stage.changes |= {"pool": "two=1", "pool_spare_memory": 0}
    return stage


async def ready(stage, count=1):
    """Wait until so many are ready and nothing is being prepared; return their ids."""
    async with asyncio.timeout(10):
        while True:
            (line,) = (await stage.supervisor.show_pool()).lines
            if len(line.ready) == count and not line.preparing:
                return [each.id for each in line.ready]
            await asyncio.sleep(0.01)


async def rows(stage, *states):
    return [row for row in await stage.journal.sessions() if row.pool in states]


async def dropped(stage, cause):
    async with asyncio.timeout(10):
        while not (found := [r for r in await rows(stage, PoolState.DROPPED) if r.drop_cause is cause]):
            await asyncio.sleep(0.01)
    return found[0]


async def claim(stage, session_id, **request):
    return await stage.supervisor.put(session_id, SessionRequest(template="two", **request), "ada")


async def test_a_claimed_session_goes_on_from_where_it_was_prepared(pooled):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        network = next(iter(pooled.left(session_id)))
        session, fresh = await claim(pooled, session_id, keep=True)
        assert (fresh, session.phase, session.keep) == (True, Phase.SCANNING, True)
        assert labels.rfc3339(session.expires_at) == network.spec.labels[labels.EXPIRES_AT]
        assert session.prepared_at < session.created_at
        await pooled.until(session_id, Phase.KEPT)
        await pooled.supervisor.stop(session_id)
        assert (await pooled.ended(session_id)).outcome is Outcome.STOPPED
        assert not pooled.left(session_id)


async def test_nothing_is_told_of_a_prepared_session_until_it_is_claimed(pooled):
    async with pooled.running() as supervisor:
        (session_id,) = await ready(pooled)
        assert await pooled.events() == []
        assert await supervisor.list() == []
        with pytest.raises(UnknownSessionError):
            await supervisor.show(session_id)
        with pytest.raises(UnknownSessionError):
            await supervisor.stop(session_id)
        await claim(pooled, session_id)
        assert (await pooled.ended(session_id)).outcome is Outcome.COMPLETED
        events = await pooled.events(session_id)
        assert [event.type for event in events[:2]] == ["session_queued", "phase_changed"]
        assert (events[0].actor, events[0].prepared_at is None) == ("ada", False)
        phases = [event.phase for event in events if event.type == "phase_changed"]
        assert phases == ["provisioning", "waiting", "scanning", "cleaning_up", "ended"]
        for once in ("network_created", "addresses_mapped", "isolation_probed", "bring_up_traced"):
            assert [event.type for event in events].count(once) == 1
        before = events[: [e.type for e in events].index("collector_started")]
        states = [(e.service, e.state) for e in before if e.type == "target_changed"]
        assert sorted(states) == [("db", "healthy"), ("web", "healthy")]


async def test_the_place_of_a_claimed_session_is_filled_again(pooled):
    async with pooled.running():
        (first,) = await ready(pooled)
        await claim(pooled, first, keep=True)
        (second,) = await ready(pooled)
        assert second != first
        assert {each.id for each in await pooled.supervisor.list()} == {first}


async def test_a_claim_is_idempotent_and_happens_once_when_several_race(pooled):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        answers = await asyncio.gather(*(claim(pooled, session_id, keep=True) for _ in range(8)))
        assert {session.id for session, _ in answers} == {session_id}
        assert len(await pooled.events_of(session_id, "session_queued")) == 1
        assert (await claim(pooled, session_id, keep=True))[1] is False


async def test_a_claim_that_another_one_overtook_leaves_the_session_alone(pooled, monkeypatch):
    async def overtaken(*_, **__):
        return None

    async with pooled.running():
        (session_id,) = await ready(pooled)
        context = pooled.supervisor._running[session_id]
        prepared = await pooled.journal.session(session_id)
        queued = SessionQueued(
            template="two", template_digest=prepared.template_digest, seed=0, keep=False, actor="ada"
        )
        monkeypatch.setattr(pooled.journal.pool, "claim", overtaken)
        assert await pooled.supervisor._pool.claim(prepared, queued, context) is None
        # Set for a session that runs, it would be a stop that nobody clears.
        assert not context.stop_requested.is_set()


@pytest.mark.parametrize("last", [None, Verdict(isolated=False, detail="undecided", at=NOW, undecided=True)])
async def test_without_a_proof_of_this_process_nothing_is_claimed_as_it_is(pooled, last):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        pooled.isolation.last = last
        (line,) = (await pooled.supervisor.show_pool()).lines
        assert line.ready == ()
        session, _ = await claim(pooled, session_id)
        assert session.prepared_at is None
        assert session.phase is Phase.QUEUED
        await pooled.ended(session_id)


async def test_another_seed_does_not_claim(pooled):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        with pytest.raises(SessionDiffersError):
            await claim(pooled, session_id, seed=7)
        assert await ready(pooled) == [session_id]


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


async def test_it_is_dropped_when_isolation_is_lost(pooled):
    pooled.changes["isolation_seconds"] = 0.2
    async with pooled.running():
        (session_id,) = await ready(pooled)
        pooled.engine.images[PROBE] = FakeImage(
            log=verdict(isolated=False, reason="the host answered"), exit_after=0.01, exit_code=1
        )
        row = await dropped(pooled, DropCause.ISOLATION)
        assert row.id == session_id
        assert not pooled.left(session_id)


@pytest.mark.parametrize("harm", ["kill", "pause", "vanish", "take_off_network", "unhealthy"])
async def test_it_is_dropped_when_a_target_is_not_as_it_was(pooled, harm):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        (web,) = pooled.of_image(WEB)
        if harm == "unhealthy":
            web.become("unhealthy")
        else:
            getattr(pooled.engine, harm)(web.id)
        # Whoever comes before that was noticed gets a session that starts cold.
        session, _ = await claim(pooled, session_id)
        assert session.phase in (Phase.QUEUED, Phase.PROVISIONING)
        ended = await pooled.ended(session_id)
        assert (ended.outcome, ended.prepared_at) == (Outcome.COMPLETED, None)
        (other,) = await ready(pooled)
        (web,) = [each for each in pooled.of_image(WEB) if each.spec.labels[labels.SESSION_ID] == str(other)]
        web.become("unhealthy")
        assert (await dropped(pooled, DropCause.UNHEALTHY)).id == other
        assert not pooled.left(other)


async def test_it_is_dropped_and_replaced_when_the_allowlist_changed(pooled):
    async with pooled.running():
        (old,) = await ready(pooled)
        allowlist = pooled.folder / "allowlist.json"
        words = json.loads(allowlist.read_text())
        words["images"]["discovery/test-new:1"] = {"id": f"sha256:{9:064x}"}
        allowlist.write_text(json.dumps(words))
        assert (await dropped(pooled, DropCause.CHANGED)).id == old
        (new,) = await ready(pooled)
        assert (new != old, pooled.left(old)) == (True, [])


async def test_a_claim_by_files_that_changed_starts_cold_with_the_new_ones(pooled, monkeypatch):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        before = (await pooled.journal.session(session_id)).installed
        monkeypatch.setattr(supervisor_module, "REREAD_SECONDS", 60)
        await asyncio.sleep(0.1)
        template = pooled.folder / "templates" / "two.yml"
        template.write_text(template.read_text().replace("title: Two", "title: Three"))
        files = pooled.supervisor._files
        files.reread()
        await claim(pooled, session_id)
        assert (await pooled.ended(session_id)).outcome is Outcome.COMPLETED
        row = await pooled.journal.session(session_id)
        assert (row.installed != before, row.installed) == (True, files.current.digest)
        (queued,) = await pooled.events_of(session_id, "session_queued")
        assert queued.prepared_at is None


async def test_an_id_that_was_dropped_starts_cold_and_keeps_its_deadline(pooled):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        deadline = (await pooled.journal.session(session_id)).expires_at
        pooled.of_image(WEB)[0].become("unhealthy")
        await dropped(pooled, DropCause.UNHEALTHY)
        await claim(pooled, session_id)
        ended = await pooled.ended(session_id)
        assert (ended.outcome, ended.expires_at) == (Outcome.COMPLETED, deadline)
        made = [c.about for c in pooled.engine.calls_of("create_network")]
        assert made
        (event,) = await pooled.events_of(session_id, "network_created")
        assert event.expires_at == deadline


async def test_a_queued_session_gets_the_place_of_a_prepared_one(pooled):
    pooled.changes["sessions_at_once"] = 1
    async with pooled.running():
        (prepared,) = await ready(pooled)
        session_id = await pooled.start(keep=True)
        assert (await dropped(pooled, DropCause.ROOM)).id == prepared
        await pooled.until(session_id, Phase.KEPT)
        assert not pooled.left(prepared)
        (line,) = (await pooled.supervisor.show_pool()).lines
        assert "places" in line.note
        await pooled.supervisor.stop(session_id)
        await ready(pooled)


async def test_it_never_holds_more_than_the_places_of_sessions(pooled):
    pooled.changes |= {"sessions_at_once": 2, "pool": "two=2"}
    async with pooled.running() as supervisor:
        first, _ = await ready(pooled, 2)
        await claim(pooled, first, keep=True)
        for _ in range(20):
            await asyncio.sleep(0.02)
            assert len(supervisor._running) <= 2
        assert len(await ready(pooled, 1)) == 1


async def test_it_waits_for_memory_and_gives_it_back(pooled, monkeypatch):
    free = [10 * 2**30]
    pooled.changes["pool_spare_memory"] = 2**30
    async with pooled.running() as supervisor:
        supervisor._pool._memory = lambda: free[0]
        (session_id,) = await ready(pooled)
        free[0] = 2**30 - 1
        assert (await dropped(pooled, DropCause.MEMORY)).id == session_id
        free[0] = 2**30 + pool_module.TARGET_BYTES
        await asyncio.sleep(0.3)
        (line,) = (await supervisor.show_pool()).lines
        assert (line.ready, "1152 MiB" in line.note) == ((), True)
        free[0] = 10 * 2**30
        await ready(pooled)


async def test_it_is_replaced_before_its_deadline_runs_low(pooled):
    # Claimable for two seconds of five; a replacement is prepared half a second earlier.
    pooled.changes |= {"session_seconds": 5, "pool_least_seconds": 2, "sessions_at_once": 2}
    async with pooled.running():
        (old,) = await ready(pooled)
        seen = {old}
        async with asyncio.timeout(6):
            while len(seen) < 2:
                (line,) = (await pooled.supervisor.show_pool()).lines
                assert line.ready or line.preparing
                seen |= {each.id for each in line.ready}
                await asyncio.sleep(0.02)
        assert (await dropped(pooled, DropCause.DEADLINE)).id == old
        assert not pooled.left(old)


async def test_one_with_too_little_time_left_is_not_claimed_as_it_is(pooled):
    pooled.changes |= {"session_seconds": 60, "pool_least_seconds": 30}
    async with pooled.running() as supervisor:
        (session_id,) = await ready(pooled)
        now = supervisor._now
        supervisor._pool._now = lambda: now() + timedelta(seconds=31)
        session, _ = await claim(pooled, session_id)
        assert session.phase is not Phase.SCANNING


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


@pytest.mark.parametrize("seed", range(25))
async def test_killed_at_any_moment_the_pool_fills_and_is_claimed_once(tmp_path, seed):
    choice = random.Random(seed)
    async with FakeEngine(images()) as engine:
        stage = Stage(tmp_path, engine)
        stage.changes |= {"pool": "two=1", "pool_spare_memory": 0}
        for _ in range(3):
            async with stage.running():
                await asyncio.sleep(choice.uniform(0, 0.3))
        async with stage.running():
            (session_id,) = await ready(stage)
        # It is asked for again until there is an answer, as the approval API does.
        for _ in range(2):
            async with stage.running():
                asked = asyncio.create_task(claim(stage, session_id))
                await asyncio.sleep(choice.uniform(0, 0.15))
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
        async with stage.running():
            await claim(stage, session_id)
            session = await stage.ended(session_id)
            assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
            found = await stage.events_of(session_id, "discovery_reported")
            assert [event.line for event in found] == [2, 3, 4]
            for once in ("session_queued", "network_created", "session_ended"):
                assert len(await stage.events_of(session_id, once)) == 1, once
            assert not stage.left(session_id)
            (other,) = await ready(stage)
            ours = {str(other)}
            every = [*engine.networks.values(), *engine.containers.values()]
            # A check of the host may be under way.
            found = {
                each.spec.labels[labels.SESSION_ID]
                for each in every
                if each.spec.labels[labels.TEMPLATE] == "two"
            }
            assert {each for each in found if UUID(each)} - ours == set()


async def test_an_unknown_id_starts_cold_as_ever(pooled):
    async with pooled.running():
        await ready(pooled)
        session_id = uuid4()
        _, fresh = await claim(pooled, session_id)
        assert fresh
        assert (await pooled.ended(session_id)).outcome is Outcome.COMPLETED


async def test_who_claims_a_session_chooses_its_collectors(pooled):
    async with pooled.running():
        (session_id,) = await ready(pooled)
        await claim(pooled, session_id, scan=ScanChoice(collectors=("network",)))
        assert (await pooled.ended(session_id)).outcome is Outcome.COMPLETED
        ran = await pooled.events_of(session_id, "collector_started")
        assert [event.collector for event in ran] == ["network"]
        (queued,) = await pooled.events_of(session_id, "session_queued")
        assert queued.scan == ScanChoice(collectors=("network",))
