"""Which hosts take a session of a fleet: room, drained hosts, labels, and what waits until some do."""

import asyncio
from dataclasses import replace
from functools import partial

from fleet_stage import resize
from prometheus_client import REGISTRY
from stage import PROBE, TEMPLATE, verdict

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.hosts.fleet_view import hosts_state, measure, show_fleet
from dryrun_orchestrator.running import supervisor

from engine_in_memory.engine import FakeImage  # isort: skip


async def test_sessions_wait_for_room_and_nobody_is_placed_by_hope(fleet):
    resize(fleet, a=(4, 1), b=(4, 1), c=(0, 0))
    async with fleet.running():
        sessions = [await fleet.start(keep=True) for _ in range(3)]
        for session_id in sessions[:2]:
            await fleet.until(session_id, Phase.KEPT)
        waiting = await fleet.supervisor.show(sessions[2])
        assert (waiting.phase, waiting.queue_position) == (Phase.QUEUED, 1)
        await fleet.supervisor.stop(sessions[0])
        await fleet.until(sessions[2], Phase.KEPT)


async def test_one_that_can_never_fit_ends_and_says_so(fleet):
    resize(fleet, a=(1, 1), b=(1, 1), c=(1, 1))
    async with fleet.running():
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert session.reason == "it needs room for 4 containers at once, and the hosts have: a 1, b 1, c 1"


async def test_a_drained_host_gets_no_new_session(fleet):
    fleet.drained = ("a", "c")
    async with fleet.running():
        session_id = await fleet.start()
        await fleet.ended(session_id)
        (placed,) = await fleet.events_of(session_id, "session_placed")
        assert placed.collectors == "b"


async def test_one_that_waits_for_drained_hosts_says_so_until_it_waits_for_a_place(fleet, monkeypatch):
    monkeypatch.setattr(supervisor, "REREAD_SECONDS", 0.05)
    resize(fleet, a=(4, 1), b=(4, 1), c=(1, 1))
    async with fleet.running():
        hosts = fleet.supervisor._hosts
        await fleet.eventually(lambda: all(host.obstacle is None for host in hosts.all))
        kept = await fleet.start(keep=True)
        await fleet.until(kept, Phase.KEPT)
        hosts.fleet = replace(hosts.fleet, drained=frozenset("ab"))
        waits = await fleet.start()
        said = "waiting for a host that it fits on: a is drained, b is drained"
        await eventually_waits_for(fleet, waits, said)
        behind = await fleet.start()
        await eventually_waits_for(fleet, behind, said)
        hosts.fleet = replace(hosts.fleet, drained=frozenset("b"))
        # The only place of a is held.
        await eventually_waits_for(fleet, waits, None)
        await eventually_waits_for(fleet, behind, None)
        changes = await fleet.events_of(waits, "phase_changed")
        assert [(each.phase, each.reason) for each in changes] == [(Phase.QUEUED, said), (Phase.QUEUED, None)]
        hosts.fleet = replace(hosts.fleet, drained=frozenset("ab"))
        await eventually_waits_for(fleet, waits, said)
        hosts.fleet = replace(hosts.fleet, drained=frozenset("a"))
        assert (await fleet.ended(waits)).reason is None


async def eventually_waits_for(fleet, session_id, reason):
    async with asyncio.timeout(10):
        while (session := await fleet.supervisor.show(session_id)).reason != reason:
            assert session.phase is Phase.QUEUED
            await asyncio.sleep(0.01)


async def test_one_that_waits_for_a_swarm_or_a_host_that_is_down_says_so(fleet, impatient):
    resize(fleet, a=(4, 4), b=(2, 4), c=(2, 4))
    async with fleet.running():
        hosts = fleet.supervisor._hosts
        await fleet.eventually(lambda: all(host.obstacle is None for host in hosts.all))
        fleet.fleet["a"][0].go_down()
        await fleet.eventually(lambda: not hosts.can_cross() and hosts.all[0].obstacle is not None)
        waits = await fleet.start()
        await eventually_waits_for(
            fleet,
            waits,
            "waiting for a swarm: it fits on several hosts together only, and no manager's swarm answers",
        )
        fleet.fleet["b"][0].go_down()
        await eventually_waits_for(
            fleet,
            waits,
            "waiting for a host that it fits on: a takes no session (the overview has the reason), "
            "b takes no session (the overview has the reason)",
        )
        for name in "ab":
            fleet.fleet[name][0].come_up()
        await fleet.ended(waits)


async def test_what_is_drained_is_shown_with_what_still_stands_there(fleet):
    fleet.labels = {"b": {"zone": "lab"}}
    async with fleet.running():
        hosts = fleet.supervisor._hosts
        await fleet.eventually(lambda: all(host.obstacle is None for host in hosts.all))
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        hosts.fleet = replace(hosts.fleet, drained=frozenset("a"))
        shown = await show_fleet(hosts, fleet.journal)
        assert (shown.managers, shown.encrypted) == (("a",), False)
        first, second, _ = shown.hosts
        assert (first.drained, first.obstacle, first.sessions) == (True, None, (session_id,))
        assert (first.containers, first.places) == (4, 60)
        assert (second.drained, second.sessions, second.labels) == (False, (), {"zone": "lab"})
        assert hosts_state(shown) == "ok, 2 of 3 hosts can be used; a: drained, 1 session on it"
        measure(shown)
        for name, labels_of, value in (
            ("dryrun_host_drained", {"host": "a"}, 1),
            ("dryrun_host_sessions", {"host": "a"}, 1),
            ("dryrun_host_containers", {"host": "a"}, 4),
            ("dryrun_host_label", {"host": "b", "label": "zone", "value": "lab"}, 1),
        ):
            assert REGISTRY.get_sample_value(name, labels_of) == value
        # What stands there goes on, and ends as it would.
        await fleet.supervisor.stop(session_id)
        assert (await fleet.ended(session_id)).outcome is Outcome.STOPPED


async def test_a_drained_host_that_is_off_is_no_fault_of_the_engine(fleet, impatient):
    """Its maintenance raises no alert: the figures of all hosts together leave it out."""
    figure = partial(REGISTRY.get_sample_value, "dryrun_engine_up")
    async with fleet.running():
        hosts = fleet.supervisor._hosts
        await fleet.eventually(lambda: all(host.obstacle is None and host.is_followed for host in hosts.all))
        hosts.fleet = replace(hosts.fleet, drained=frozenset("c"))
        fleet.fleet["c"][0].go_down()
        await fleet.eventually(lambda: not hosts.named("c").is_followed)
        assert figure() == 1
        hosts.fleet = replace(hosts.fleet, drained=frozenset())
        await fleet.eventually(lambda: figure() == 0)


async def test_a_host_that_does_not_answer_is_not_taken_for_one_that_answers_a_probe(fleet, impatient):
    figure = partial(REGISTRY.get_sample_value, "dryrun_isolated")
    fleet.fleet["b"][0].go_down()
    async with fleet.running():
        hosts = fleet.supervisor._hosts
        await fleet.eventually(lambda: all(hosts.named(name).is_isolated for name in "ac"))
        await fleet.eventually(lambda: not hosts.named("b").answers)
        await fleet.eventually(lambda: figure() == 1)
        fleet.fleet["b"][0].images[PROBE] = FakeImage(
            log=verdict(isolated=False, reason="x answered"), exit_after=0.01, exit_code=1
        )
        fleet.fleet["b"][0].come_up()
        await fleet.eventually(lambda: hosts.named("b").isolation.last is not None)
        await fleet.eventually(lambda: figure() == 0)


async def test_a_template_may_ask_for_labels_of_its_hosts(fleet):
    (fleet.folder / "templates" / "two.yml").write_text(
        TEMPLATE.replace("x-dryrun:\n", "x-dryrun:\n  hosts: {zone: lab}\n", 1)
    )
    fleet.labels = {"c": {"zone": "lab", "disk": "fast"}, "b": {"zone": "office"}}
    resize(fleet, c=(4, 1))
    async with fleet.running():
        session_id = await fleet.start()
        await fleet.ended(session_id)
        (placed,) = await fleet.events_of(session_id, "session_placed")
        assert (placed.targets, placed.collectors) == ({"c": 2}, "c")


async def test_one_whose_labels_no_host_has_ends_and_says_so(fleet):
    (fleet.folder / "templates" / "two.yml").write_text(
        TEMPLATE.replace("x-dryrun:\n", "x-dryrun:\n  hosts: {zone: lab}\n", 1)
    )
    async with fleet.running():
        session = await fleet.ended(await fleet.start())
        assert session.reason == (
            "it needs room for 4 containers at once, and the hosts with zone=lab have: none"
        )
