"""A prepared session is claimed once, as it was proved, and goes on from there; otherwise it starts cold."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prepared_sessions import claim, ready

from dryrun_contract.event import SessionQueued
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.pool import pool as pool_module
from dryrun_orchestrator.running import supervisor as supervisor_module
from dryrun_orchestrator.running.supervisor import SessionDiffersError, UnknownSessionError
from dryrun_orchestrator.session.isolation import Verdict

NOW = datetime.now(UTC)


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


async def test_nothing_is_reported_of_a_prepared_session_until_it_is_claimed(pooled):
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
        assert await pooled.supervisor._pool.claim(prepared, queued, context, context.template) is None
        # Set for a session that runs, it would be a stop that nobody clears.
        assert not context.stop_requested.is_set()


@pytest.mark.parametrize("last", [None, Verdict(isolated=False, detail="undecided", at=NOW, undecided=True)])
async def test_without_a_proof_of_this_process_nothing_is_claimed_as_it_is(pooled, last):
    # A check of the host that is repeated meanwhile would prove it again.
    pooled.changes["reaper_seconds"] = 60
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


async def test_one_with_too_little_time_left_is_not_claimed_as_it_is(pooled, monkeypatch):
    pooled.changes |= {"session_seconds": 60, "pool_least_seconds": 30}
    async with pooled.running():
        (session_id,) = await ready(pooled)
        monkeypatch.setattr(pool_module, "utc_now", lambda: utc_now() + timedelta(seconds=31))
        session, _ = await claim(pooled, session_id)
        assert session.phase is not Phase.SCANNING


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
