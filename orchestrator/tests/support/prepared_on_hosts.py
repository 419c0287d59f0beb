"""Waits for sessions that are prepared ahead on the hosts of a fleet."""

import asyncio

from prepared_sessions import rows
from stage import LONGEST_SECONDS

from dryrun_orchestrator.fleet.placement import Placement
from dryrun_orchestrator.journal.records import PoolState


async def lines(stage):
    return {line.host: line for line in (await stage.supervisor.show_pool()).lines}


async def ready(stage, *hosts):
    """Wait until exactly these hosts have one ready, and none prepares; return the ids by host."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            found = await lines(stage)
            having = {host: line.ready[0].id for host, line in found.items() if line.ready}
            if having.keys() == set(hosts) and not any(line.preparing for line in found.values()):
                return having
            await asyncio.sleep(0.01)


def host_of(row):
    (host,) = Placement.from_json(row.placement).hosts
    return host


async def filled(stage, **counts):
    """Wait until each host has as many ready, and none prepares or is being removed."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            found = await lines(stage)
            moving = await rows(stage, PoolState.PREPARING, PoolState.DROPPING)
            if {host: len(line.ready) for host, line in found.items()} == counts and not moving:
                return
            await asyncio.sleep(0.01)
