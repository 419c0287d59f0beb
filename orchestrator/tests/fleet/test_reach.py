"""Before a scan across hosts, each host has to reach the targets of the others."""

import asyncio
import json
from collections import defaultdict

import pytest
from fleet_stage import left, resize
from stage import DB, PROBE, WEB, verdict

from dryrun_contract.collector_config import VARIABLE
from dryrun_contract.session import Outcome

from engine_in_memory.engine import FakeImage  # isort: skip


@pytest.mark.parametrize("reached", [True, False])
async def test_no_scan_begins_before_every_host_reaches_the_targets_of_the_others(fleet, reached):
    resize(fleet, a=(1, 4), b=(2, 4), c=(1, 4))
    asked = defaultdict(list)

    def probing(name):
        async def program(container):
            peers = json.loads(container.spec.environment[VARIABLE]).get("peers")
            asked[name].append(peers)
            lost = not reached and peers is not None and len(peers) > 2
            said = verdict(None, f"{peers[-1]}, on another host, does not answer") if lost else verdict(True)
            for chunk in said:
                container.say(chunk.data)
            return 2 if lost else 0

        return FakeImage(program=program)

    for name in "abc":
        fleet.fleet[name][0].images[PROBE] = probing(name)
    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        asked.clear()
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        (mapped,) = await fleet.events_of(session_id, "addresses_mapped")
        changes = await fleet.events_of(session_id, "target_changed")
        there = {
            change.host: {
                address for address, service in mapped.addresses.items() if service == change.service
            }
            for change in changes
        }
        assert there.keys() == {"a", "c"}
        asked_besides = {name: set(peers[1]) - set(peers[0]) for name, peers in asked.items()}
        assert asked_besides == {"a": there["c"], "b": there["a"] | there["c"], "c": there["a"]}
        begun = await fleet.events_of(session_id, "collector_started")
        if reached:
            assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
            assert begun
            (traced,) = await fleet.events_of(session_id, "bring_up_traced")
            proofs = [span.step for span in traced.spans if span.step.startswith("probe")]
            assert proofs == ["probe", "probe_removal"] * 2, "of the network, and of the way to targets"
        else:
            assert session.outcome is Outcome.FAILED
            assert session.reason.startswith(
                "its hosts do not reach all of each other's targets; start it again: "
            )
            assert f"{asked['b'][1][-1]}, on another host, does not answer" in session.reason
            assert not begun
            assert fleet.supervisor._hosts.last_crossing.isolated, "it may be the target's own fault"
        assert not left(fleet, session_id)


def asking(reach):
    """Return an image whose probes prove a session's hosts once, and then let `reach` answer."""
    crossed = []

    async def program(container):
        if "peers" in json.loads(container.spec.environment[VARIABLE]):
            crossed.append(container.id)
        if len(crossed) > 1:
            return await reach(container)
        for chunk in verdict(True):
            container.say(chunk.data)
        return 0

    return FakeImage(program=program)


async def hanging(container):
    await asyncio.Event().wait()


async def test_a_proof_of_reach_that_the_orchestrators_end_broke_off_is_repeated(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    fleet.changes |= {"waiting_seconds": 60}
    engine = fleet.fleet["a"][0]

    async def unanswered(container):
        for chunk in verdict(None, "b does not answer"):
            container.say(chunk.data)
        return 2

    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        good = engine.images[PROBE]
        engine.images[PROBE] = asking(unanswered)
        fleet.fleet["b"][0].images[PROBE] = asking(hanging)
        session_id = await fleet.start()
        await fleet.eventually(lambda: 2 in [each.exit_code for each in engine.containers.values()])
    for name in "ab":
        fleet.fleet[name][0].images[PROBE] = good
    async with fleet.running():
        session = await fleet.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert not left(fleet, session_id)


async def test_a_proof_of_reach_without_end_names_no_target_as_late(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    fleet.changes |= {"waiting_seconds": 1}
    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        fleet.fleet["b"][0].images[PROBE] = asking(hanging)
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        assert session.reason == "phase waiting did not end within 1 s; all targets are ready"
        assert not left(fleet, session_id)


async def test_a_probe_of_reach_that_did_not_end_as_it_reported_proves_nothing(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))

    async def refuted(container):
        for chunk in verdict(True):
            container.say(chunk.data)
        return 1

    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        fleet.fleet["b"][0].images[PROBE] = asking(refuted)
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        assert session.reason == (
            "its hosts do not reach all of each other's targets; start it again: "
            "host b: the probe reported success and ended with 1"
        )
        assert not await fleet.events_of(session_id, "collector_started")


@pytest.mark.parametrize("asks_targets", [True, False], ids=["before the scan", "after it"])
async def test_a_host_that_answers_beside_targets_is_a_breach_of_isolation(fleet, asks_targets):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    answers = []

    async def program(container):
        peers = json.loads(container.spec.environment[VARIABLE]).get("peers", [])
        is_due = peers and bool(answers) and (len(peers) > 1) is asks_targets
        answers.extend(peers)
        for chunk in verdict(False, "a host answers ARP") if is_due else verdict(True):
            container.say(chunk.data)
        return 1 if is_due else 0

    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        answers.clear()
        fleet.fleet["a"][0].images[PROBE] = FakeImage(program=program)
        session_id = await fleet.start()
        session = await fleet.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert session.reason == "the network is not isolated from the host: a: a host answers ARP"
        proofs = [each.isolated for each in await fleet.events_of(session_id, "isolation_probed")]
        assert proofs == [True, False]
        assert bool(await fleet.events_of(session_id, "collector_started")) is not asks_targets
        assert fleet.supervisor._hosts.last_crossing.detail == "a: a host answers ARP"
        assert not left(fleet, session_id)


async def test_a_target_that_dies_before_the_scan_is_named_and_not_its_hosts(fleet):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    engine = fleet.fleet["b"][0]

    async def dying(container):
        for target in list(engine.containers.values()):
            if target.spec.image_id in (WEB, DB):
                engine.kill(target.id)
        for chunk in verdict(None, "10.213.0.9, on another host, does not answer"):
            container.say(chunk.data)
        return 2

    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        fleet.fleet["a"][0].images[PROBE] = asking(dying)
        session = await fleet.ended(session_id := await fleet.start())
        assert session.reason.startswith("service "), session.reason
        assert "ended with exit code" in session.reason
        assert not left(fleet, session_id)


async def test_a_probe_whose_lost_create_lands_late_is_replaced(fleet, monkeypatch):
    resize(fleet, a=(2, 4), b=(2, 4), c=(0, 4))
    engine = fleet.fleet["a"][0]
    create = engine.create_container
    landed = []

    async def create_after_another(spec):
        if not landed and "peers" in spec.environment.get(VARIABLE, ""):
            landed.append(await create(spec))
        return await create(spec)

    async with fleet.running():
        await fleet.eventually(lambda: all(host.obstacle is None for host in fleet.supervisor._hosts.all))
        monkeypatch.setattr(engine, "create_container", create_after_another)
        session = await fleet.ended(session_id := await fleet.start())
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert landed
        assert not left(fleet, session_id)
