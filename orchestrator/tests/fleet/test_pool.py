"""Sessions prepared ahead in a fleet: each host has its own, and who waits for room gets theirs."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from fleet_stage import left, resize
from prepared_on_hosts import host_of, lines, ready
from prepared_sessions import claim, dropped, rows
from stage import TEMPLATE, WEB

from dryrun_contract.session import Outcome, Phase, SessionRequest
from dryrun_orchestrator.engine.errors import ForbiddenError, TransientEngineError
from dryrun_orchestrator.hosts.fleet_view import hosts_state, show_fleet
from dryrun_orchestrator.journal.records import DropCause, PoolState
from dryrun_orchestrator.pool import prepared_session


async def test_each_host_keeps_one_and_a_claim_is_replaced_on_its_host(pooled):
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
        session, _ = await claim(pooled, prepared["b"], keep=True)
        assert session.phase is Phase.SCANNING
        await pooled.until(session.id, Phase.KEPT)
        (placed,) = await pooled.events_of(session.id, "session_placed")
        assert (placed.targets, placed.collectors) == ({"b": 2}, "b")
        assert placed.reason == "it was prepared on b"
        types = [event.type for event in await pooled.events(session.id)]
        assert types[:3] == ["session_queued", "session_placed", "phase_changed"]
        after = await ready(pooled, "a", "b", "c")
        assert (after["a"], after["c"]) == (prepared["a"], prepared["c"])
        assert after["b"] != session.id
        await pooled.supervisor.stop(session.id)
        await pooled.ended(session.id)
        assert not left(pooled, session.id)


async def test_what_is_prepared_holds_its_room_and_is_nobodys_session(pooled):
    async with pooled.running() as supervisor:
        await ready(pooled, "a", "b", "c")
        shown = await show_fleet(supervisor._hosts, pooled.journal)
        assert [(host.containers, host.sessions) for host in shown.hosts] == [(4, ())] * 3


async def test_a_host_that_is_drained_gives_up_what_is_prepared_there(pooled):
    async with pooled.running() as supervisor:
        prepared = await ready(pooled, "a", "b", "c")
        hosts = supervisor._hosts
        hosts.fleet = replace(hosts.fleet, drained=frozenset("b"))
        assert (await dropped(pooled, DropCause.HOST)).id == prepared["b"]
        assert not left(pooled, prepared["b"])
        await ready(pooled, "a", "c")
        assert (await lines(pooled))["b"].note == "b is drained"
        assert hosts_state(await show_fleet(hosts, pooled.journal)).endswith("b: drained, 0 sessions on it")
        hosts.fleet = replace(hosts.fleet, drained=frozenset())
        await ready(pooled, "a", "b", "c")


async def test_a_host_that_is_lost_keeps_no_other_from_preparing(pooled, impatient):
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
        pooled.fleet["b"][0].go_down()
        await pooled.eventually(lambda: pooled.supervisor._hosts.named("b").is_lost)
        found = await lines(pooled)
        assert (found["b"].ready, "b: it has not answered" in found["b"].note) == ((), True)
        await claim(pooled, prepared["a"], keep=True)
        await pooled.until(prepared["a"], Phase.KEPT)
        assert (await ready(pooled, "a", "c"))["a"] != prepared["a"]
        async with asyncio.timeout(10):
            while [row.id for row in await rows(pooled, PoolState.DROPPING)] != [prepared["b"]]:
                await asyncio.sleep(0.01)
        pooled.fleet["b"][0].come_up()
        assert (await dropped(pooled, DropCause.HOST)).id == prepared["b"]
        await ready(pooled, "a", "b", "c")
        assert not left(pooled, prepared["b"])


async def test_what_is_left_on_a_lost_host_is_its_guards_after_the_deadline(pooled, impatient, monkeypatch):
    monkeypatch.setattr(prepared_session, "AFTER_DEADLINE", timedelta())
    pooled.changes |= {"session_seconds": 5, "pool_least_seconds": 3}
    async with pooled.running():
        await ready(pooled, "a", "b", "c")
        pooled.fleet["b"][0].go_down()
        row = await dropped(pooled, DropCause.HOST)
        assert (host_of(row), row.reason[:14]) == ("b", "host b is lost")


async def test_a_host_that_never_lists_what_it_has_keeps_no_room_after_the_deadline(pooled, monkeypatch):
    monkeypatch.setattr(prepared_session, "AFTER_DEADLINE", timedelta())
    pooled.changes |= {"session_seconds": 5, "pool_least_seconds": 3}
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
        answer = TransientEngineError("503: docker-guard: too many requests wait for the engine (rule crowd)")
        pooled.fleet["b"][0].faults.fail("list_containers", answer, times=None)
        async with asyncio.timeout(20):
            while prepared["b"] not in {row.id for row in await rows(pooled, PoolState.DROPPED)}:
                await asyncio.sleep(0.05)


async def test_who_waits_for_room_gets_that_of_one_prepared_session_and_no_more(pooled):
    resize(pooled, a=(4, 2), b=(4, 2), c=(4, 2))
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
        session_id = await pooled.start(keep=True)
        await pooled.until(session_id, Phase.KEPT)
        (placed,) = await pooled.events_of(session_id, "session_placed")
        gone = await rows(pooled, PoolState.DROPPED)
        assert [each.drop_cause for each in gone] == [DropCause.ROOM]
        assert list(placed.targets) == [host_of(gone[0])]
        held = await rows(pooled, PoolState.READY)
        assert {each.id for each in held} == set(prepared.values()) - {gone[0].id}
        note = (await lines(pooled))[host_of(gone[0])].note
        assert "it needs 4" in note


async def test_no_session_is_spread_because_of_what_is_prepared(pooled):
    # Beside what is prepared two containers fit on each host: a session of four would cross hosts.
    resize(pooled, a=(6, 4), b=(6, 4), c=(6, 4))
    async with pooled.running():
        await ready(pooled, "a", "b", "c")
        session_id = await pooled.start(keep=True)
        await pooled.until(session_id, Phase.KEPT)
        (placed,) = await pooled.events_of(session_id, "session_placed")
        assert len(placed.targets) == 1
        assert len(await rows(pooled, PoolState.DROPPED)) == 1


async def test_one_that_waits_for_a_host_to_come_back_empties_no_pool(pooled, impatient):
    """A session whose only host is away gains nothing from the room of others."""
    text = TEMPLATE.replace("x-dryrun:\n", "x-dryrun:\n  hosts: {zone: lab}\n", 1)
    (pooled.folder / "templates" / "lab.yml").write_text(text)
    pooled.labels = {"c": {"zone": "lab"}}
    async with pooled.running() as supervisor:
        prepared = await ready(pooled, "a", "b", "c")
        pooled.fleet["c"][0].go_down()
        await pooled.eventually(lambda: supervisor._hosts.named("c").is_lost)
        session_id = uuid4()
        await supervisor.put(session_id, SessionRequest(template="lab"), "ada")
        await asyncio.sleep(0.3)
        assert (await supervisor.show(session_id)).phase is Phase.QUEUED
        assert await ready(pooled, "a", "b") == {host: prepared[host] for host in "ab"}
        pooled.fleet["c"][0].come_up()
        assert (await pooled.ended(session_id)).outcome is Outcome.COMPLETED


async def test_a_cold_claim_is_placed_anew_and_leaves_nothing_where_it_was_prepared(pooled):
    async with pooled.running() as supervisor:
        prepared = await ready(pooled, "a", "b", "c")
        hosts = supervisor._hosts
        (web,) = [each for each in pooled.fleet["b"][0].containers.values() if each.spec.image_id == WEB]
        pooled.fleet["b"][0].kill(web.id)
        hosts.fleet = replace(hosts.fleet, drained=frozenset("b"))
        session, _ = await claim(pooled, prepared["b"])
        ended = await pooled.ended(session.id)
        assert (ended.outcome, ended.prepared_at) == (Outcome.COMPLETED, None)
        (placed,) = await pooled.events_of(session.id, "session_placed")
        assert list(placed.targets) in (["a"], ["c"])
        assert not left(pooled, session.id)


async def test_a_late_claim_of_one_that_was_dropped_is_placed_anew(pooled):
    async with pooled.running() as supervisor:
        prepared = await ready(pooled, "a", "b", "c")
        hosts = supervisor._hosts
        hosts.fleet = replace(hosts.fleet, drained=frozenset("b"))
        await dropped(pooled, DropCause.HOST)
        await claim(pooled, prepared["b"])
        assert (await pooled.ended(prepared["b"])).outcome is Outcome.COMPLETED
        (placed,) = await pooled.events_of(prepared["b"], "session_placed")
        assert "b" not in placed.targets


async def test_a_template_that_is_spread_is_not_prepared_and_it_is_said(pooled):
    text = TEMPLATE.replace("x-dryrun:\n", "x-dryrun:\n  spread: targets\n", 1)
    (pooled.folder / "templates" / "two.yml").write_text(text)
    async with pooled.running():
        await asyncio.sleep(0.3)
        assert await rows(pooled, *PoolState) == []
        assert {line.note for line in (await lines(pooled)).values()} == {
            "its template spreads it over hosts, and a prepared session is on one"
        }


async def test_a_host_that_fails_to_prepare_pauses_by_itself(pooled):
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
        engine = pooled.fleet["b"][0]
        engine.faults.fail("create_network", ForbiddenError("the guard says no"), times=1000)
        (web,) = [each for each in engine.containers.values() if each.spec.image_id == WEB]
        web.become("unhealthy")
        row = await dropped(pooled, DropCause.FAILED)
        assert host_of(row) == "b"
        await claim(pooled, prepared["a"], keep=True)
        await pooled.until(prepared["a"], Phase.KEPT)
        after = await ready(pooled, "a", "c")
        assert (after["a"] != prepared["a"], after["c"]) == (True, prepared["c"])
        engine.faults.clear()
        await ready(pooled, "a", "b", "c")


async def test_a_killed_orchestrator_keeps_what_each_host_has(pooled):
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
    async with pooled.running():
        assert await ready(pooled, "a", "b", "c") == prepared
        await claim(pooled, prepared["c"])
        assert (await pooled.ended(prepared["c"])).outcome is Outcome.COMPLETED
        assert not left(pooled, prepared["c"])
