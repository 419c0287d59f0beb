"""Sessions of a fleet: placed, built, scanned and removed on several engines by the code that knows one."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from fleet_stage import left, resize, scan_until
from stage import DB, NETWORK, PROBE, verdict

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.hosts import host as host_module
from dryrun_orchestrator.hosts.fleet_view import overlay_state, show_fleet
from dryrun_orchestrator.session import cleaning_up
from dryrun_orchestrator.session.isolation import PROBE_SERVICE

from engine_in_memory.engine import FakeImage  # isort: skip


async def test_a_session_that_fits_stands_whole_on_one_host(fleet):
    async with fleet.running():
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        (placed,) = await fleet.events_of(session_id, "session_placed")
        assert (placed.targets, placed.collectors, placed.encrypted) == ({"a": 2}, "a", None)
        changes = await fleet.events_of(session_id, "target_changed")
        assert {change.host for change in changes} == {"a"}
        assert not left(fleet, session_id)


async def test_one_that_does_not_fit_is_spread_over_an_overlay(fleet):
    resize(fleet, a=(1, 4), b=(2, 4), c=(1, 4))
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        (overlay,) = fleet.swarm.overlays.values()
        assert (overlay.spec.subnet, overlay.spec.reserved) == ("10.213.0.0/26", "10.213.0.32/27")
        (network,) = await fleet.events_of(session_id, "network_created")
        assert network.subnet == "10.213.0.0/27"
        (placed,) = await fleet.events_of(session_id, "session_placed")
        assert (placed.targets, placed.collectors, placed.encrypted) == ({"a": 1, "c": 1}, "b", False)
        hosts = {
            change.service: change.host for change in await fleet.events_of(session_id, "target_changed")
        }
        assert sorted(hosts.values()) == ["a", "c"]
        (probed,) = await fleet.events_of(session_id, "isolation_probed")
        assert probed.isolated
        assert all(f"{host}: the host is silent" in probed.detail for host in "abc")
        await fleet.supervisor.stop(session_id)
        session = await fleet.ended(session_id)
        assert session.outcome is Outcome.STOPPED
        assert not left(fleet, session_id)


async def test_a_probe_stays_until_every_target_has_started(fleet, monkeypatch):
    """An engine forgets an overlay with the last of its containers there, while a target may be starting."""
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    found = []
    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        engines = [fleet.fleet[name][0] for name in "ab"]
        for engine in engines:
            engine.faults.delay("start_container", 0.1, times=None)
            remove = engine.remove_container

            async def removing(identity, *, engine=engine, remove=remove):
                roles = [each.spec.labels for each in engine.containers.values() if each.id == identity]
                if [each[labels.SERVICE] for each in roles] == [PROBE_SERVICE]:
                    targets = [
                        each
                        for own in engines
                        for each in own.containers.values()
                        if each.spec.labels[labels.ROLE] == "target"
                    ]
                    found.append([each.status for each in targets])
                await remove(identity)

            monkeypatch.setattr(engine, "remove_container", removing)
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.SCANNING)
    assert found[:2] == [["running", "running"]] * 2


async def test_no_target_starts_before_every_host_is_proved(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    fleet.fleet["b"][0].images[PROBE] = FakeImage(log=verdict(None, "the other host does not answer"))
    async with fleet.running():
        # The bridges of b are not proved either, so nothing is placed there.
        session_id = await fleet.start()
        await fleet.eventually(lambda: fleet.fleet["b"][0].calls_of("create_network"))
        session = await fleet.supervisor.show(session_id)
        assert session.phase is Phase.QUEUED


async def test_hosts_that_do_not_reach_each_other_end_the_session(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        for name in "ab":
            fleet.fleet[name][0].images[PROBE] = FakeImage(log=verdict(None, "the other does not answer"))
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert "is not known to be isolated" in session.reason
        assert "a: the other does not answer" in session.reason
        started = [
            each for each in await fleet.events_of(session_id, "target_changed") if each.state == "running"
        ]
        assert not started
        assert not left(fleet, session_id)
        hosts = fleet.supervisor._hosts
        shown = await show_fleet(hosts, fleet.journal)
        said = overlay_state(shown, hosts.why_none_crosses, (), hosts.last_crossing)
        assert said.startswith("ok, plain between hosts")
        assert "the last proof across hosts failed (" in said
        assert "a: the other does not answer" in said


async def test_hosts_that_part_while_it_is_scanned_end_the_session(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    async with fleet.running():
        for name in "ab":
            fleet.fleet[name][0].images[NETWORK] = FakeImage(log=(), exit_after=0.3)
        session_id = await fleet.start()
        await fleet.until(session_id, Phase.SCANNING)
        for name in "ab":
            fleet.fleet[name][0].images[PROBE] = FakeImage(
                log=verdict(None, "the other"), exit_after=0, exit_code=2
            )
        session = await fleet.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert session.reason.startswith("its hosts may not have reached each other while it was scanned")
        assert not left(fleet, session_id)
        # How a probe ended that had failed says nothing that it did not say itself.
        assert fleet.supervisor._hosts.last_crossing.detail == "a: the other; b: the other"


async def refute_the_next_probe_on_b(fleet, *, exit_after):
    await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
    refuted = FakeImage(log=verdict(isolated=True), exit_after=exit_after, exit_code=1)
    fleet.fleet["b"][0].images[PROBE] = refuted


async def test_a_probe_that_did_not_end_as_it_reported_is_a_failed_proof(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    async with fleet.running():
        await refute_the_next_probe_on_b(fleet, exit_after=0.01)
        session = await fleet.ended(await fleet.start())
        assert session.outcome is Outcome.FAILED
        proof = fleet.supervisor._hosts.last_crossing
        assert (proof.isolated, proof.detail) == (
            False,
            "host b: the probe reported success and ended with 1",
        )


async def test_a_refuted_probe_on_one_host_ends_a_session_whose_targets_wait_for_each_other(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    async with fleet.running():
        await refute_the_next_probe_on_b(fleet, exit_after=0)
        for name in "ab":
            fleet.fleet[name][0].images[DB] = FakeImage(health_after=60)
        session_id = await fleet.start()
        async with asyncio.timeout(3):
            session = await fleet.ended(session_id)
        assert session.reason.startswith("the network is not known to be isolated")


async def test_a_host_that_is_down_gets_no_session_and_holds_up_nobody(fleet):
    fleet.fleet["a"][0].go_down()
    async with fleet.running():
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        (placed,) = await fleet.events_of(session_id, "session_placed")
        assert placed.collectors in ("b", "c")


async def test_a_session_ends_when_one_of_its_hosts_is_lost(fleet, impatient):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        lost = fleet.fleet["b"][0]
        lost.go_down()
        session = await fleet.until(session_id, Phase.CLEANING_UP)
        assert session.outcome is Outcome.FAILED
        assert session.reason.startswith("host b is lost")
        # It has not ended before nothing is left of it.
        await fleet.eventually(lambda: not fleet.fleet["a"][0].containers)
        assert (await fleet.supervisor.show(session_id)).phase is Phase.CLEANING_UP
        lost.come_up()
        await fleet.ended(session_id)
        assert not left(fleet, session_id)


@pytest.mark.parametrize("silent", ["a", "b"], ids=["the manager", "a worker"])
async def test_a_host_that_was_silent_during_a_scan_across_hosts_fails_it(
    fleet, impatient, monkeypatch, silent
):
    monkeypatch.setattr(host_module, "LOST_SECONDS", 60)
    resize(fleet, a=(0, 4), b=(2, 4), c=(2, 4))
    over = asyncio.Event()
    scan_until(fleet, over)
    async with fleet.running():
        session_id = await fleet.start()
        await fleet.until(session_id, Phase.SCANNING)
        (host,) = [each for each in fleet.supervisor._hosts.all if each.name == silent]
        engine = fleet.fleet[silent][0]
        engine.go_down()
        await fleet.eventually(lambda: host.silent_seconds > 0.3)
        engine.come_up()
        over.set()
        session = await fleet.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert f"run it again: host {silent} did not answer for" in session.reason


async def test_what_is_left_on_a_lost_host_is_its_guards_after_the_deadline(fleet, impatient, monkeypatch):
    monkeypatch.setattr(cleaning_up, "AFTER_DEADLINE", timedelta())
    fleet.changes = {"session_seconds": 5}
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        fleet.fleet["b"][0].go_down()
        session = await fleet.ended(session_id)
        assert session.reason.startswith("host b is lost")
        # It comes back with what it had, and the reaper of its host finds it.
        assert fleet.fleet["b"][0].containers
        fleet.fleet["b"][0].come_up()
        await fleet.eventually(lambda: not left(fleet, session_id))


async def test_without_the_manager_sessions_start_on_one_host_and_none_across(fleet, impatient):
    resize(fleet, a=(9, 9), b=(4, 4), c=(2, 4))
    async with fleet.running():
        known = fleet.supervisor._hosts
        await fleet.eventually(lambda: all(host.obstacle is None for host in known.all))
        fleet.fleet["a"][0].go_down()
        await fleet.eventually(lambda: not known.can_cross())
        whole = await fleet.start(keep=True)
        await fleet.until(whole, Phase.KEPT)
        (placed,) = await fleet.events_of(whole, "session_placed")
        assert placed.targets == {"b": 2}
        waiting = await fleet.start(keep=True)
        await fleet.eventually(lambda: fleet.supervisor._waiting == 1)
        assert (await fleet.supervisor.show(waiting)).phase is Phase.QUEUED
        fleet.fleet["a"][0].come_up()
        await fleet.until(waiting, Phase.KEPT)


async def test_a_host_that_is_lost_ends_no_session_elsewhere(fleet, impatient):
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        fleet.fleet["b"][0].go_down()
        await fleet.eventually(lambda: fleet.supervisor._hosts.all[1].silent_seconds > 0.6)
        assert (await fleet.supervisor.show(session_id)).phase is Phase.KEPT
        await fleet.supervisor.stop(session_id)
        await fleet.ended(session_id)


async def test_a_host_whose_clock_is_wrong_gets_no_session(fleet, monkeypatch):
    slow = fleet.fleet["a"][0]
    inspect = slow.inspect_container

    async def an_hour_ago(identity):
        detail = await inspect(identity)
        return replace(detail, started_at=detail.started_at and detail.started_at - timedelta(hours=1))

    monkeypatch.setattr(slow, "inspect_container", an_hour_ago)
    async with fleet.running():
        session_id = await fleet.start()
        await fleet.ended(session_id)
        (placed,) = await fleet.events_of(session_id, "session_placed")
        assert placed.collectors in ("b", "c")
        await fleet.eventually(lambda: fleet.supervisor._hosts.all[0].obstacle == "its clock is 3600 s slow")


async def test_a_killed_orchestrator_goes_on_where_it_was(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.WAITING, Phase.SCANNING)
    async with fleet.running():
        await fleet.until(session_id, Phase.KEPT)
        assert len(await fleet.events_of(session_id, "session_placed")) == 1
        await fleet.supervisor.stop(session_id)
        await fleet.ended(session_id)
        assert not left(fleet, session_id)
