"""An open journal."""

import pytest
from journaled import NOW

from dryrun_orchestrator.journal.journal import Journal


@pytest.fixture
async def journal(tmp_path):
    opened = Journal.open(tmp_path, lambda: NOW)
    yield opened
    await opened.close()
