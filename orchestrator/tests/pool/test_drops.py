"""A prepared session that is not what was proved, or in the way, is dropped and replaced."""

import asyncio
import json

import pytest
from engine_in_memory.engine import FakeImage
from prepared_sessions import claim, dropped, ready
from stage import PROBE, WEB, verdict

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.journal.records import DropCause
from dryrun_orchestrator.pool.grounds import TARGET_BYTES


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


async def test_it_waits_for_memory_and_gives_it_back(pooled, monkeypatch):
    free = [10 * 2**30]
    pooled.changes["pool_spare_memory"] = 2**30
    async with pooled.running() as supervisor:
        supervisor._pool._grounds.memory = lambda: free[0]
        (session_id,) = await ready(pooled)
        free[0] = 2**30 - 1
        assert (await dropped(pooled, DropCause.MEMORY)).id == session_id
        free[0] = 2**30 + TARGET_BYTES
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
