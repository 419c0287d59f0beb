"""An overlay that the swarm holds for a container that is gone: its session ends, and says what is left."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from fleet_stage import left, resize
from prometheus_client import REGISTRY

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.api.audit import AuditLog
from dryrun_orchestrator.api.health import check_readiness
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import ConflictError, EngineUnreachableError, InUseByTaskError
from dryrun_orchestrator.hosts.fleet_view import MOST_NAMED, overlay_state, show_fleet
from dryrun_orchestrator.hosts.held_overlays import HeldOverlays
from dryrun_orchestrator.journal.errors import JournalReadError, JournalWriteError
from dryrun_orchestrator.session import cleaning_up
from dryrun_orchestrator.session.isolation import Verdict
from dryrun_orchestrator.session.removal import LeftoverError, OverlayHeldError, remove_everything

HELD = "its empty overlay dryrun-{} is left: the swarm keeps a task on it"


@pytest.fixture
def spread(fleet, monkeypatch):
    monkeypatch.setattr(cleaning_up, "HELD_SECONDS", 0.3)
    resize(fleet, a=(1, 4), b=(2, 4), c=(1, 4))
    return fleet


@asynccontextmanager
async def kept(stage):
    """Have a session stand on all hosts, with a task on its overlay that the swarm keeps."""
    async with stage.running():
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
        stage.swarm.kept_tasks.add(f"dryrun-{session_id}")
        yield session_id


def held():
    return REGISTRY.get_sample_value("dryrun_overlays_held")


async def test_a_session_ends_and_says_that_the_swarm_holds_its_empty_overlay(spread):
    async with kept(spread) as session_id:
        await spread.supervisor.stop(session_id)
        session = await spread.ended(session_id)
        assert session.outcome is Outcome.STOPPED
        assert session.reason.startswith(f"stopped on request; {HELD.format(session_id)}")
        (ended,) = await spread.events_of(session_id, "session_ended")
        assert ended.reason == session.reason
        assert [each.spec.name for each in left(spread, session_id)] == [f"dryrun-{session_id}"]
        await spread.eventually(lambda: held() == 1)
        # The reaper goes on, and what is gone is listed no more.
        tried = len(spread.engine.calls_of("remove_network"))
        await spread.eventually(lambda: len(spread.engine.calls_of("remove_network")) > tried + 1)
        assert (await spread.journal.session(session_id)).held_overlay == f"dryrun-{session_id}"
        spread.swarm.kept_tasks.clear()
        await spread.eventually(lambda: not left(spread, session_id))
        await spread.eventually(lambda: held() == 0)
        assert (await spread.journal.session(session_id)).held_overlay is None


async def test_what_the_journal_cannot_note_of_it_is_noted_later(spread, monkeypatch):
    async with kept(spread) as session_id:
        await spread.supervisor.stop(session_id)
        await spread.ended(session_id)
        await spread.eventually(lambda: held() == 1)
        store, failed = spread.journal.update_session, []

        async def full(*of, **changes):
            if "held_overlay" in changes and len(failed) < 2:
                failed.append(of)
                raise JournalWriteError("the journal cannot be written: full")
            return await store(*of, **changes)

        monkeypatch.setattr(spread.journal, "update_session", full)
        spread.swarm.kept_tasks.clear()
        await spread.eventually(lambda: held() == 0)
        assert (await spread.journal.session(session_id)).held_overlay is None
        assert len(failed) == 2


async def test_a_completed_session_stays_so_and_says_what_is_left(spread):
    async with spread.running():
        session_id = await spread.start()
        spread.swarm.kept_tasks.add(f"dryrun-{session_id}")
        session = await spread.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        assert session.reason.startswith(HELD.format(session_id))


async def test_a_container_anywhere_keeps_the_session_from_its_end(spread):
    async with kept(spread) as session_id:
        engine = spread.fleet["c"][0]
        engine.faults.fail("remove_container", ConflictError("it cannot be removed"), times=None)
        await spread.supervisor.stop(session_id)
        await spread.eventually(lambda: len(spread.engine.calls_of("remove_network")) > 4)
        await spread.eventually(lambda: not spread.engine.containers)
        assert engine.containers
        assert (await spread.supervisor.show(session_id)).phase is Phase.CLEANING_UP
        engine.faults.clear()
        await spread.ended(session_id)


async def test_a_host_that_does_not_answer_keeps_it_too(spread):
    async with kept(spread) as session_id:
        engine = spread.fleet["c"][0]
        engine.go_down()
        await spread.supervisor.stop(session_id)
        asked = len(engine.calls_of("list_containers"))
        await spread.eventually(lambda: len(engine.calls_of("list_containers")) > asked + 3)
        assert (await spread.supervisor.show(session_id)).phase is Phase.CLEANING_UP
        engine.come_up()
        await spread.ended(session_id)


async def test_a_host_that_left_the_file_keeps_it_until_its_guard_has_removed_all(spread, monkeypatch):
    spread.changes = {"reaper_seconds": 0.1}
    monkeypatch.setattr(cleaning_up, "AFTER_DEADLINE", timedelta(seconds=60))
    async with kept(spread) as session_id:
        pass
    engine = spread.fleet.pop("c")[0]
    async with spread.running():
        managers = spread.engine
        await spread.eventually(lambda: not managers.containers)
        tried = len(managers.calls_of("remove_network"))
        await asyncio.sleep(0.8)
        assert len(managers.calls_of("remove_network")) > tried
        assert engine.containers
        record = await spread.journal.session(session_id)
        assert record.phase is Phase.CLEANING_UP
        monkeypatch.setattr(cleaning_up, "AFTER_DEADLINE", timedelta(days=-1))
        await spread.ended(session_id)


async def test_a_bridge_keeps_its_session_whatever_its_engine_says(fleet, monkeypatch):
    monkeypatch.setattr(cleaning_up, "HELD_SECONDS", 0.1)
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        (engine,) = (each for each, _, _ in fleet.fleet.values() if each.containers)
        engine.faults.fail("remove_network", InUseByTaskError("in use by task t"), times=None)
        await fleet.supervisor.stop(session_id)
        await fleet.eventually(lambda: len(engine.calls_of("remove_network")) > 3)
        await asyncio.sleep(0.3)
        assert (await fleet.supervisor.show(session_id)).phase is Phase.CLEANING_UP
        engine.faults.clear()
        assert (await fleet.ended(session_id)).reason == "stopped on request"


async def test_removal_is_tried_for_a_while_before(spread, monkeypatch):
    monkeypatch.setattr(cleaning_up, "HELD_SECONDS", 60)
    async with kept(spread) as session_id:
        await spread.supervisor.stop(session_id)
        await spread.eventually(lambda: len(spread.engine.calls_of("remove_network")) > 3)
        assert (await spread.supervisor.show(session_id)).phase is Phase.CLEANING_UP
        spread.swarm.kept_tasks.clear()
        session = await spread.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.STOPPED, "stopped on request")


async def test_its_subnet_is_nobody_elses_as_long_as_it_is_there(spread):
    spread.changes = {"reaper_seconds": 0.1}
    async with kept(spread) as session_id:
        await spread.supervisor.stop(session_id)
        await spread.ended(session_id)
    # The next process knows it, too.
    async with spread.running():
        before = (await spread.journal.session(session_id)).subnet
        other = await spread.start(keep=True)
        await spread.until(other, Phase.KEPT)
        assert (await spread.journal.session(other)).subnet != before
        spread.swarm.kept_tasks.clear()
        await spread.eventually(lambda: held() == 0)
        third = await spread.start(keep=True)
        await spread.supervisor.stop(other)
        await spread.until(third, Phase.KEPT)
        assert (await spread.journal.session(third)).subnet == before


async def test_what_begins_meanwhile_keeps_the_session_from_its_end(spread, monkeypatch):
    """A create may land between the refusal and the end."""
    async with kept(spread) as session_id:
        engine, label = spread.engine, f"{labels.SESSION_ID}={session_id}"
        late = next(iter(engine.containers.values())).spec
        for stood, _, _ in spread.fleet.values():
            for identity in list(stood.containers):
                stood.vanish(identity)
        refuse = engine.remove_network

        async def lands_before(identity):
            await engine.create_container(late)
            await refuse(identity)

        monkeypatch.setattr(engine, "remove_network", lands_before)
        ground = spread.supervisor._running[session_id].engine
        with pytest.raises(LeftoverError) as raised:
            await remove_everything(ground, label)
        assert not isinstance(raised.value, OverlayHeldError)
        assert late.name in str(raised.value)
        monkeypatch.undo()
        with pytest.raises(OverlayHeldError, match="in use by task"):
            await remove_everything(ground, label)


def test_the_time_begins_anew_with_anything_else(monkeypatch):
    seconds = iter((0.0, 20.0, 25.0, 50.0, 55.0))
    monkeypatch.setattr(cleaning_up.time, "monotonic", lambda: next(seconds))
    only_held = OverlayHeldError("dryrun-1", "in use by task")
    held_for = cleaning_up._Held()
    assert held_for.after(only_held) is None
    assert held_for.after(only_held) is None
    assert held_for.after(EngineUnreachableError("no answer")) is None
    assert held_for.after(only_held) is None
    assert held_for.after(only_held) is None
    assert held_for.after(only_held) == "dryrun-1"


async def test_readiness_names_the_first_of_them(spread):
    async with kept(spread) as session_id:
        await spread.supervisor.stop(session_id)
        await spread.ended(session_id)
        services = SimpleNamespace(
            hosts=spread.supervisor._hosts,
            journal=spread.journal,
            audit=AuditLog(spread.folder / "audit.jsonl"),
            supervisor=spread.supervisor,
        )
        checks = await check_readiness(services)
        assert checks["overlay"].endswith(f"holds: 1 (dryrun-{session_id})")
        shown = await show_fleet(spread.supervisor._hosts, spread.journal)
        assert "held" not in overlay_state(shown, None)
        said = overlay_state(shown, None, ["dryrun-1"])
        assert said.startswith("ok, plain between hosts")
        assert said.endswith("; empty overlays that the swarm holds: 1 (dryrun-1)")
        # An engine accepts encryption that its kernel lacks: only a proof shows that it works.
        encrypted = shown.model_copy(update={"encrypted": True})
        assert "not proved since the start" in overlay_state(encrypted, None)
        proof = Verdict(True, "silent", utc_now())
        assert overlay_state(encrypted, None, (), proof) == "ok, encrypted between hosts"
        many = [f"dryrun-{number}" for number in range(MOST_NAMED + 1)]
        assert overlay_state(shown, "no leader", many).endswith("holds: 4 (dryrun-0, dryrun-1, dryrun-2 …)")


async def test_a_journal_that_cannot_be_read_does_not_end_the_look(caplog):
    class Unread:
        async def unfinished(self):
            raise JournalReadError("the journal cannot be read: disk I/O error")

    look = asyncio.create_task(HeldOverlays(None, Unread(), 0.01).look_forever())
    done, _ = await asyncio.wait({look}, timeout=0.1)
    assert not done
    assert caplog.text.count("disk I/O error") > 1
    look.cancel()
