"""Sessions that schedules start."""

import asyncio

import pytest
from scripted_session import scan_all


@pytest.fixture
def scanned(orchestrator):
    """Let every session that starts be scanned, from the call on."""
    tasks = []

    def begin():
        tasks.append(asyncio.create_task(scan_all(orchestrator)))

    yield begin
    for task in tasks:
        task.cancel()
