"""Waits for sessions that are prepared ahead, and claims them."""

import asyncio

from stage import LONGEST_SECONDS

from dryrun_contract.session import SessionRequest
from dryrun_orchestrator.journal.records import PoolState


async def ready(stage, count=1):
    """Wait until so many are ready and nothing is being prepared; return their ids."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            (line,) = (await stage.supervisor.show_pool()).lines
            if len(line.ready) == count and not line.preparing:
                return [each.id for each in line.ready]
            await asyncio.sleep(0.01)


async def rows(stage, *states):
    return [row for row in await stage.journal.sessions() if row.pool in states]


async def dropped(stage, cause):
    async with asyncio.timeout(LONGEST_SECONDS):
        while not (found := [r for r in await rows(stage, PoolState.DROPPED) if r.drop_cause is cause]):
            await asyncio.sleep(0.01)
    return found[0]


async def claim(stage, session_id, **request):
    return await stage.supervisor.put(session_id, SessionRequest(template="two", **request), "ada")
