"""A network is prepared for whatever is requested next: it is proved, and whoever claims it adds targets."""

import asyncio
from datetime import timedelta

import pytest
from engine_in_memory.engine import FakeImage
from prepared_sessions import claim, dropped, ready, rows
from stage import DB, PROBE, WEB, verdict

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.journal.records import DropCause, PoolState
from dryrun_orchestrator.pool import pool as pool_module
from dryrun_orchestrator.settings import Settings


@pytest.fixture
def networked(stage):
    stage.changes |= {"pool": "*=1", "pool_spare_memory": 0}
    return stage


def probes(stage):
    return [container for container in stage.engine._machine.removed if container.spec.image_id == PROBE]


async def test_it_is_one_empty_network_and_a_session_of_any_seed_is_built_in_it(networked):
    async with networked.running():
        (session_id,) = await ready(networked)
        (network,) = networked.left(session_id)
        (probe,) = [
            each for each in probes(networked) if each.spec.labels[labels.SESSION_ID] == str(session_id)
        ]
        session, fresh = await claim(networked, session_id, seed=7, keep=True)
        assert (fresh, session.phase, session.template, session.seed) == (True, Phase.PROVISIONING, "two", 7)
        assert session.prepared_at < session.created_at
        await networked.until(session_id, Phase.KEPT)
        made = [each for each in networked.left(session_id) if each is not network]
        assert {each.spec.image_id for each in made} == {WEB, DB}
        assert {each.spec.labels[labels.TEMPLATE] for each in made} == {"two"}
        deadline = network.spec.labels[labels.EXPIRES_AT]
        assert {each.spec.labels[labels.EXPIRES_AT] for each in made} == {deadline}
        assert labels.rfc3339((await networked.supervisor.show(session_id)).expires_at) == deadline
        # The proof was given while nothing else was in the network.
        again = [each for each in probes(networked) if each.spec.labels[labels.SESSION_ID] == str(session_id)]
        assert again == [probe]


async def test_its_events_are_those_of_any_session_and_its_addresses_those_of_its_seed(networked):
    async with networked.running():
        (session_id,) = await ready(networked)
        assert await networked.events() == []
        await claim(networked, session_id, seed=7)
        assert (await networked.ended(session_id)).outcome is Outcome.COMPLETED
        events = await networked.events(session_id)
        kinds = [event.type for event in events]
        assert kinds[:5] == [
            "session_queued", "phase_changed", "network_created", "addresses_mapped", "isolation_probed",
        ]  # fmt: skip
        phases = [event.phase for event in events if event.type == "phase_changed"]
        assert phases == ["provisioning", "waiting", "scanning", "cleaning_up", "ended"]
        for once in ("network_created", "addresses_mapped", "isolation_probed", "bring_up_traced"):
            assert kinds.count(once) == 1, once
        (mapped,) = await networked.events_of(session_id, "addresses_mapped")
        cold = await networked.start(seed=7)
        assert (await networked.ended(cold)).outcome is Outcome.COMPLETED
        (other,) = await networked.events_of(cold, "addresses_mapped")
        assert [*mapped.addresses.values()] == [*other.addresses.values()]
        (trace,) = await networked.events_of(session_id, "bring_up_traced")
        steps = {span.step for span in trace.spans}
        assert {"create", "start", "health"} <= steps
        assert "probe" not in steps


async def test_a_whole_session_is_prepared_beside_it(networked):
    networked.changes["pool"] = "*=1,two=1"
    async with networked.running() as supervisor, asyncio.timeout(10):
        while not all(line.ready for line in (await supervisor.show_pool()).lines):
            await asyncio.sleep(0.01)
        lines = {line.template: line.ready[0].id for line in (await supervisor.show_pool()).lines}
        whole, _ = await claim(networked, lines["two"], keep=True)
        network, _ = await claim(networked, lines["*"], keep=True)
        assert (whole.phase, network.phase) == (Phase.SCANNING, Phase.PROVISIONING)
        await networked.until(network.id, Phase.KEPT)


async def test_nothing_is_offered_while_the_host_answers(networked):
    networked.engine.images[PROBE] = FakeImage(
        log=verdict(isolated=False, reason="the host answered"), exit_after=0.01, exit_code=1
    )
    async with networked.running():
        await asyncio.sleep(0.5)
        (line,) = (await networked.supervisor.show_pool()).lines
        assert (line.ready, "the host answered" in line.note) == ((), True)


async def test_a_probe_that_ends_otherwise_than_it_reported_spoils_it(networked):
    networked.engine.images[PROBE] = FakeImage(log=verdict(isolated=True, exit_code=0), exit_after=0.01)
    async with networked.running():
        await ready(networked)
        networked.engine.images[PROBE] = FakeImage(
            log=verdict(isolated=True, exit_code=0), exit_after=0.01, exit_code=1
        )
        (first,) = await rows(networked, PoolState.READY)
        await claim(networked, first.id, keep=True)
        row = await dropped(networked, DropCause.FAILED)
        assert "ended with exit code 1" in row.reason


async def test_a_network_that_somebody_removed_is_replaced_and_never_claimed_as_it_is(networked):
    async with networked.running():
        (session_id,) = await ready(networked)
        (network,) = networked.left(session_id)
        await networked.engine.remove_network(network.id)
        session, _ = await claim(networked, session_id)
        assert (session.prepared_at, session.phase) == (None, Phase.QUEUED)
        assert (await networked.ended(session_id)).outcome is Outcome.COMPLETED
        assert await networked.events_of(session_id, "isolation_probed")
        assert await ready(networked) != [session_id]


async def test_one_that_somebody_put_in_its_place_is_never_claimed_whatever_its_labels(networked):
    async with networked.running():
        (session_id,) = await ready(networked)
        (network,) = networked.left(session_id)
        await networked.engine.remove_network(network.id)
        replacement = await networked.engine.create_network(network.spec)
        session, _ = await claim(networked, session_id)
        assert (session.prepared_at, session.phase) == (None, Phase.QUEUED)
        assert (await networked.ended(session_id)).outcome is Outcome.COMPLETED
        assert await networked.events_of(session_id, "isolation_probed")
        assert replacement not in networked.engine.networks


async def test_it_is_dropped_when_the_files_change(networked):
    async with networked.running():
        (session_id,) = await ready(networked)
        template = networked.folder / "templates" / "two.yml"
        template.write_text(template.read_text().replace("title: Two", "title: Three"))
        await dropped(networked, DropCause.CHANGED)
        assert await ready(networked) != [session_id]
        assert not networked.left(session_id)


async def test_it_is_renewed_while_a_session_still_has_most_of_its_time(networked, monkeypatch):
    async with networked.running():
        (session_id,) = await ready(networked)
        monkeypatch.setattr(pool_module, "utc_now", lambda: utc_now() + timedelta(minutes=4))
        await asyncio.sleep(0.2)
        assert await ready(networked) == [session_id]
        monkeypatch.setattr(pool_module, "utc_now", lambda: utc_now() + timedelta(minutes=6))
        session, _ = await claim(networked, session_id)
        assert session.phase is Phase.QUEUED
    settings = Settings.model_validate(networked.settings.model_dump() | {"pool_least_seconds": 1600})
    assert settings.least_left_of("*") == settings.least_left_of("two") == timedelta(seconds=1600)


def refuse(stage, **more):
    """Have the host answer from now on."""
    stage.engine.images[PROBE] = FakeImage(
        log=verdict(isolated=False, reason="the host answered"), exit_after=0.01, exit_code=1, **more
    )


def started(stage):
    """Return the targets that were ever started."""
    every = [*stage.engine.containers.values(), *stage.engine._machine.removed]
    return [each for each in every if each.spec.image_id in (WEB, DB) and each.status != "created"]


async def test_a_proof_from_before_the_engines_restart_starts_no_target(networked):
    networked.changes["reaper_seconds"] = 60
    async with networked.running():
        (session_id,) = await ready(networked)
        networked.engine.go_down(lose_containers=True)
        await asyncio.sleep(0.3)
        refuse(networked)
        networked.engine.come_up()
        await asyncio.sleep(0.3)
        await claim(networked, session_id)
        assert (await networked.ended(session_id)).outcome is Outcome.FAILED
        assert started(networked) == []


async def test_a_proof_that_could_not_be_renewed_is_not_relied_on(networked, monkeypatch):
    async with networked.running():
        (session_id,) = await ready(networked)
        # A check that ends meanwhile would renew it.
        monkeypatch.setattr(networked.isolation, "check_host", asyncio.Event().wait)
        age = 2 * networked.settings.isolation_seconds + 1
        monkeypatch.setattr(networked.isolation, "_judged_at", networked.isolation._judged_at - age)
        (line,) = (await networked.supervisor.show_pool()).lines
        assert line.ready == ()
        session, _ = await claim(networked, session_id)
        assert (session.phase, session.prepared_at) == (Phase.QUEUED, None)
        assert (await networked.ended(session_id)).outcome is Outcome.COMPLETED


async def test_a_new_process_proves_the_network_of_a_claim_that_it_goes_on_with(networked):
    async with networked.running():
        (session_id,) = await ready(networked)
        reached, create = asyncio.Event(), networked.engine.create_container

        async def hang(_):
            reached.set()
            await asyncio.Event().wait()

        networked.engine.create_container = hang
        await claim(networked, session_id)
        await reached.wait()
        networked.engine.create_container = create
    refuse(networked, log_pause=0.3)
    async with networked.running():
        session = await networked.ended(session_id)
        assert (session.outcome, "the host answered" in session.reason) == (Outcome.FAILED, True)
        assert started(networked) == []
