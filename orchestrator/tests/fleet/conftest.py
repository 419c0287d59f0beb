"""A fleet of three hosts in memory."""

import pytest
from engine_in_memory.engine import FakeEngine, FakeSwarm
from stage import Stage, images

from dryrun_orchestrator import host as host_module


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
def impatient(monkeypatch):
    """Take seconds for tenths."""
    for name, seconds in {"PULSE_SECONDS": 0.05, "ABSENT_SECONDS": 0.2, "LOST_SECONDS": 0.5}.items():
        monkeypatch.setattr(host_module, name, seconds)
