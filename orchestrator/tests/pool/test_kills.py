"""Killed at any moment, the pool fills again, and what it held is claimed once."""

import asyncio
import random
from uuid import UUID

import pytest
from engine_in_memory.engine import FakeEngine
from prepared_sessions import claim, ready
from stage import Stage, images

from dryrun_contract.session import Outcome
from dryrun_orchestrator import labels


@pytest.mark.parametrize("pool", ["two=1", "*=1"], ids=["session", "network"])
@pytest.mark.parametrize("seed", range(25))
async def test_killed_at_any_moment_the_pool_fills_and_is_claimed_once(tmp_path, seed, pool):
    choice = random.Random(seed)
    async with FakeEngine(images()) as engine:
        stage = Stage(tmp_path, engine)
        stage.changes |= {"pool": pool, "pool_spare_memory": 0}
        for _ in range(3):
            async with stage.running():
                await asyncio.sleep(choice.uniform(0, 0.3))
        async with stage.running():
            (session_id,) = await ready(stage)
        # It is asked for again until there is an answer, as the approval API does.
        for _ in range(2):
            async with stage.running():
                asked = asyncio.create_task(claim(stage, session_id))
                await asyncio.sleep(choice.uniform(0, 0.15))
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
        async with stage.running():
            await claim(stage, session_id)
            session = await stage.ended(session_id)
            assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
            found = await stage.events_of(session_id, "discovery_reported")
            assert [event.line for event in found] == [2, 3, 4]
            for once in (
                "session_queued", "network_created", "addresses_mapped", "isolation_probed", "session_ended",
            ):  # fmt: skip
                assert len(await stage.events_of(session_id, once)) == 1, once
            assert not stage.left(session_id)
            (other,) = await ready(stage)
            ours = {str(other)}
            every = [*engine.networks.values(), *engine.containers.values()]
            # A check of the host may be under way.
            found = {
                each.spec.labels[labels.SESSION_ID]
                for each in every
                if each.spec.labels[labels.TEMPLATE] == "two"
            }
            assert {each for each in found if UUID(each)} - ours == set()
