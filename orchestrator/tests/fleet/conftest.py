"""A fleet of three hosts in memory."""

import asyncio
from datetime import timedelta

import pytest
from attended_clock import AttendedClock
from engine_in_memory.engine import FakeEngine, FakeSwarm
from fleet_stage import resize
from stage import Stage, images

from dryrun_orchestrator.hosts import host as host_module
from dryrun_orchestrator.pool import patience
from dryrun_orchestrator.running import supervisor as supervisor_module
from dryrun_orchestrator.session import scanning


@pytest.fixture
async def fleet(tmp_path):
    swarm = FakeSwarm()
    engines = {name: FakeEngine(images(), swarm) for name in ("a", "b", "c")}
    stage = Stage(tmp_path, engines["a"], {name: (engine, 60, 4) for name, engine in engines.items()})
    stage.swarm = swarm
    yield stage
    for engine in engines.values():
        await engine.shut_down()


@pytest.fixture
async def impatient(monkeypatch):
    """Take seconds of silence for tenths, and count none in which a host that is up had no turn to answer."""
    clock = AttendedClock()
    for module in (host_module, scanning):
        monkeypatch.setattr(module, "time", clock)
    for name, seconds in {"PULSE_SECONDS": 0.05, "ABSENT_SECONDS": 0.2, "LOST_SECONDS": 0.5}.items():
        monkeypatch.setattr(host_module, name, seconds)
    counting = asyncio.create_task(clock.run())
    yield
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)


@pytest.fixture
def pooled(fleet, monkeypatch):
    """Each host has room for two sessions of four containers, and keeps one prepared."""
    monkeypatch.setattr(supervisor_module, "REREAD_SECONDS", 0.05)
    monkeypatch.setattr(patience, "FIRST_PAUSE", timedelta(seconds=0.2))
    resize(fleet, a=(8, 2), b=(8, 2), c=(8, 2))
    fleet.changes |= {"pool": "two=1"}
    return fleet
