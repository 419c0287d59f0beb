"""Killed at any moment, with hosts away, drained or back empty, the pools of a fleet fill again."""

import asyncio
import random

import pytest
from fleet_stage import left
from prepared_on_hosts import ready
from prepared_sessions import claim, rows

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.journal.records import PoolState


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_to_its_hosts_the_pool_fills_and_is_claimed_once(pooled, impatient, seed):
    choice = random.Random(seed)
    pooled.changes |= {"engine_wait_seconds": 0.5}
    for _ in range(4):
        async with pooled.running():
            for _ in range(choice.randrange(3)):
                await asyncio.sleep(choice.uniform(0, 0.2))
                befall(pooled, choice)
            await asyncio.sleep(choice.uniform(0, 0.3))
    calm(pooled)
    async with pooled.running():
        host, session_id = choice.choice(list((await ready(pooled, "a", "b", "c")).items()))
    # It is asked for again until there is an answer, as the approval API does.
    dies = choice.random() < 0.5
    for _ in range(2):
        async with pooled.running():
            asked = asyncio.create_task(claim(pooled, session_id))
            await asyncio.sleep(choice.uniform(0, 0.15))
            if dies:
                pooled.fleet[host][0].go_down(lose_containers=choice.random() < 0.5)
            await asyncio.sleep(choice.uniform(0, 0.3))
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
    calm(pooled)
    async with pooled.running():
        await claim(pooled, session_id)
        session = await pooled.ended(session_id)
        assert session.outcome is Outcome.COMPLETED or (dies and session.outcome is Outcome.FAILED)
        assert (session.reason is None) == (session.outcome is Outcome.COMPLETED)
        events = [event.type for event in await pooled.events(session_id)]
        assert [events.count(once) for once in ("session_queued", "session_ended")] == [1, 1]
        assert events.count("session_placed") <= 1
        other = await ready(pooled, "a", "b", "c")
        assert not left(pooled, session_id)
        await pooled.eventually(lambda: held(pooled) == {str(each) for each in other.values()})
        assert await rows(pooled, PoolState.DROPPING) == []


def befall(stage, choice):
    name = choice.choice("abc")
    engine = stage.fleet[name][0]
    match choice.randrange(4):
        case 0:
            engine.go_down(lose_containers=choice.random() < 0.5)
        case 1:
            engine.come_up()
        case 2:
            stage.drained = choice.choice([(), (name,)])
        case 3 if engine.containers:
            engine.vanish(choice.choice(list(engine.containers)))


def calm(stage):
    stage.drained = ()
    for engine, _, _ in stage.fleet.values():
        engine.come_up()


def held(stage):
    """Return the sessions of which hosts have something; a check of a host may be under way."""
    found = set()
    for engine, _, _ in stage.fleet.values():
        for each in (*engine.networks.values(), *engine.containers.values()):
            if each.spec.labels[labels.TEMPLATE] == "two":
                found.add(each.spec.labels[labels.SESSION_ID])
    return found


async def test_a_claim_stands_through_two_restarts_before_what_was_prepared_is_gone(pooled, impatient):
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
        pooled.fleet["b"][0].go_down()
        session, _ = await claim(pooled, prepared["b"])
        assert session.phase is Phase.QUEUED
    for _ in range(2):
        async with pooled.running():
            await asyncio.sleep(0.1)
            row = await pooled.journal.session(session.id)
            assert (row.phase, row.subnet is None, row.placement is None) == (Phase.QUEUED, False, False)
    pooled.fleet["b"][0].come_up()
    async with pooled.running():
        assert (await pooled.ended(session.id)).outcome is Outcome.COMPLETED
        assert not left(pooled, session.id)
