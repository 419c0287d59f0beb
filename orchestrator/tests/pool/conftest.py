from datetime import timedelta

import pytest

from dryrun_orchestrator.pool import patience
from dryrun_orchestrator.running import supervisor as supervisor_module


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(supervisor_module, "REREAD_SECONDS", 0.05)
    monkeypatch.setattr(patience, "FIRST_PAUSE", timedelta(seconds=0.2))


@pytest.fixture
def pooled(stage):
    stage.changes |= {"pool": "two=1", "pool_spare_memory": 0}
    return stage
