"""What tests of experiments share."""

import asyncio

import pytest
from scripted_session import scan_all


@pytest.fixture
async def scanned(orchestrator):
    """Let every session that starts be scanned."""
    task = asyncio.create_task(scan_all(orchestrator))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
