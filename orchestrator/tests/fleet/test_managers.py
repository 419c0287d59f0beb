"""Several managers of a fleet: any of them is asked for an overlay, and a lost one costs no session."""

import asyncio
import time

import pytest
from fleet_stage import left, resize, scan_until
from prometheus_client import REGISTRY

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.engine.errors import EngineUnreachableError
from dryrun_orchestrator.hosts import host as host_module
from dryrun_orchestrator.hosts.fleet_view import overlay_state, show_fleet


@pytest.fixture
def managed(fleet):
    """Have all three manage the swarm, and only two take containers; `a` is asked first."""
    fleet.swarm.managers, fleet.managers = 3, ("a", "b", "c")
    resize(fleet, a=(0, 4), b=(2, 4), c=(2, 4))
    return fleet


async def test_the_other_managers_stand_in_for_one_that_is_lost(managed, impatient):
    lost = managed.fleet["a"][0]
    async with managed.running():
        known = managed.supervisor._hosts
        await managed.eventually(lambda: all(host.obstacle is None for host in known.all))
        before = await managed.start(keep=True)
        await managed.until(before, Phase.KEPT)
        assert lost.calls_of("create_network")
        lost.go_down()
        # At once, and without its word: the overlay that it made is any manager's to remove.
        await managed.supervisor.stop(before)
        await managed.ended(before)
        assert not left(managed, before)
        await managed.eventually(lambda: known.all[0].silent_seconds > host_module.ABSENT_SECONDS)
        after = await managed.start()
        session = await managed.ended(after)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert not left(managed, after)


async def test_a_machine_that_was_busy_with_something_else_finds_no_host_silent(managed, impatient):
    async with managed.running():
        hosts = managed.supervisor._hosts.all
        await managed.eventually(lambda: all(host.obstacle is None for host in hosts))
        time.sleep(3 * host_module.LOST_SECONDS)  # noqa: ASYNC251 - nobody has a turn meanwhile
        assert [host.silence_since(0) for host in hosts] == [None] * 3
        asked = len(managed.engine.calls_of("ping"))
        await managed.eventually(lambda: len(managed.engine.calls_of("ping")) > asked + 1)
        assert [host.silence_since(0) for host in hosts] == [None] * 3


async def test_a_scan_goes_on_as_long_as_one_manager_answers(managed, impatient):
    over = asyncio.Event()
    scan_until(managed, over)
    async with managed.running():
        session_id = await managed.start()
        await managed.until(session_id, Phase.SCANNING)
        managed.fleet["a"][0].go_down()
        await managed.eventually(lambda: managed.supervisor._hosts.all[0].silent_seconds > 0.3)
        over.set()
        session = await managed.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert not left(managed, session_id)


async def test_an_overlay_whose_makers_answer_was_lost_is_found_at_another_manager(managed, impatient):
    maker = managed.fleet["a"][0]
    async with managed.running():
        await managed.eventually(lambda: all(host.obstacle is None for host in managed.supervisor._hosts.all))
        maker.faults.fail("create_network", EngineUnreachableError("its answer was lost"), after=True)
        session_id = await managed.start(keep=True)
        await managed.eventually(lambda: managed.swarm.overlays)
        maker.go_down()
        await managed.until(session_id, Phase.KEPT)
        assert len(managed.swarm.overlays) == 1
        await managed.supervisor.stop(session_id)
        await managed.ended(session_id)
        assert not left(managed, session_id)


def cut_off(engine):
    """Have a manager's engine answer as one that has lost its swarm: it lists what is local, and no error."""
    engine._machine.has_swarm = False


@pytest.mark.parametrize(
    "rooms", [{"a": 0, "b": 2, "c": 2}, {"a": 2, "b": 0, "c": 2}], ids=["apart", "of it"]
)
async def test_a_session_has_ended_when_no_manager_lists_its_overlay(managed, rooms):
    """One that lost its swarm answers, and lists none; it may be a host of the session, too."""
    managed.changes = {"reaper_seconds": 1000}
    resize(managed, **{name: (room, 4) for name, room in rooms.items()})
    async with managed.running():
        known = managed.supervisor._hosts
        await managed.eventually(lambda: all(host.obstacle is None for host in known.all))
        session_id = await managed.start(keep=True)
        await managed.until(session_id, Phase.KEPT)
        cut_off(managed.fleet["a"][0])
        await managed.supervisor.stop(session_id)
        await managed.ended(session_id)
        assert not left(managed, session_id)


async def test_a_manager_that_cannot_make_an_overlay_leaves_it_to_the_next(managed):
    async with managed.running():
        known = managed.supervisor._hosts
        await managed.eventually(lambda: all(host.obstacle is None for host in known.all))
        cut_off(managed.fleet["a"][0])
        session = await managed.ended(await managed.start())
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)


async def test_without_a_leader_sessions_across_hosts_wait_and_none_ends_early(managed, impatient):
    machines = [engine._machine for engine, _, _ in managed.fleet.values()]
    async with managed.running():
        known = managed.supervisor._hosts
        await managed.eventually(lambda: all(host.obstacle is None for host in known.all))
        stands = await managed.start(keep=True)
        await managed.until(stands, Phase.KEPT)
        for machine in machines:
            machine.has_swarm = False
        await managed.eventually(lambda: not known.can_cross())
        said = overlay_state(await show_fleet(known, managed.journal), known.why_none_crosses)
        assert said.startswith(
            "ok on one host; across hosts sessions wait: a: this engine's swarm has no leader; b:"
        )
        of_a = ("dryrun_host_manages", {"host": "a"})
        await managed.eventually(lambda: REGISTRY.get_sample_value(*of_a) == 0)
        waiting = await managed.start()
        await managed.supervisor.stop(stands)
        await managed.eventually(lambda: not any(machine.containers for machine in machines))
        assert (await managed.supervisor.show(waiting)).phase is Phase.QUEUED
        assert (await managed.supervisor.show(stands)).phase is Phase.CLEANING_UP
        for machine in machines:
            machine.has_swarm = True
        await managed.ended(stands)
        session = await managed.ended(waiting)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert not managed.swarm.overlays
