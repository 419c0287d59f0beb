"""Networks that are prepared for any template, on the real engine behind the real guard."""

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from local_stack import Stack
from pool_stack import gone, line, open_pool_stack, ready, require_whole, start_while_killed

pytestmark = [pytest.mark.engine, pytest.mark.long(120), pytest.mark.asyncio(loop_scope="module")]

SEED = 31


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(empty_cluster: Path) -> AsyncIterator[Stack]:
    async with open_pool_stack(empty_cluster, {"ORCHESTRATOR_POOL": "*=1"}) as opened:
        yield opened


async def test_any_template_takes_the_network_and_keeps_its_deadline(stack: Stack) -> None:
    for template in ("quick", "other"):
        prepared = await ready(stack)
        (network,) = await stack.things_of(prepared)
        assert network.kind == "network"
        deadline = (await line(stack))["ready"][0]["expires_at"]
        assert await stack.start_session(template) == prepared
        await require_whole(stack, prepared)
        session = await stack.session(prepared)
        assert (session.template, session.prepared_at is None) == (template, False)
        assert session.prepared_at is not None
        assert session.prepared_at < session.requested_at
        assert session.expires_at is not None
        assert session.expires_at.isoformat().replace("+00:00", "Z") == deadline


async def test_one_that_somebody_removed_is_replaced(stack: Stack, docker: Callable[..., str]) -> None:
    prepared = await ready(stack)
    docker("network", "rm", f"dryrun-{prepared}")
    await ready(stack, other_than=prepared)
    await gone(stack, prepared)


async def test_a_start_that_comes_before_that_is_noticed_starts_cold_and_completes(
    stack: Stack, docker: Callable[..., str]
) -> None:
    prepared = await ready(stack)
    docker("network", "rm", f"dryrun-{prepared}")
    session_id = await stack.start_session("quick")
    await require_whole(stack, session_id)


async def test_kills_at_any_moment_claim_once_and_leave_nothing(stack: Stack) -> None:
    chance = random.Random(SEED)
    for _ in range(4):
        await ready(stack)
        session_id = await start_while_killed(stack, chance.uniform(0, 0.4))
        if session_id is not None:
            await require_whole(stack, session_id)


async def test_an_orderly_end_leaves_nothing(stack: Stack) -> None:
    prepared = await ready(stack)
    await stack.orchestrator.stop()
    assert str(prepared) not in {each.session for each in await stack.engine.things()}
    await stack.orchestrator.start()
