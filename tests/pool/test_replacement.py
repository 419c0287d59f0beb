"""A prepared session that nobody claims is replaced before its deadline, and never outlives it."""

from pathlib import Path

import pytest
from pool_stack import gone, open_pool_stack, ready


@pytest.mark.engine
@pytest.mark.long(80)
async def test_it_is_replaced_before_its_deadline_and_the_guard_removes_the_last(
    empty_cluster: Path,
) -> None:
    settings = {"ORCHESTRATOR_SESSION_SECONDS": "50", "ORCHESTRATOR_POOL_LEAST_SECONDS": "30"}
    async with open_pool_stack(empty_cluster, settings) as stack:
        first = await ready(stack)
        second = await ready(stack, other_than=first)
        await gone(stack, first)
        await stack.orchestrator.kill()
        # The guard alone is left, and its clock.
        await gone(stack, second)
        await stack.orchestrator.start(ready=False)
