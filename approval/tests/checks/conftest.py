"""Sessions that are scanned, on a template that stands for a network."""

import asyncio

import pytest
from fake_orchestrator import SMALL
from rehearsed_network import KNOWN
from scripted_session import scan_all


@pytest.fixture
async def scanned(orchestrator):
    """Let every session that starts be scanned, on a template that stands for a network."""
    orchestrator.templates = {SMALL.id: SMALL.model_copy(update={"stands_for": KNOWN})}
    task = asyncio.create_task(scan_all(orchestrator))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
