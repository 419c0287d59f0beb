import asyncio

import pytest
from engine_in_memory.engine import FakeImage
from stage import DATABASE, NETWORK, NETWORK_OUTPUT
from standing_by import Waiter


@pytest.fixture
def waiter(stage):
    waiter = Waiter()
    stage.engine.images[DATABASE] = FakeImage(program=waiter)
    return waiter


@pytest.fixture
def gate(stage):
    """Set, it lets the first collector end."""
    gate = asyncio.Event()

    async def scan(container):
        for chunk in NETWORK_OUTPUT[:-1]:
            container.say(chunk.data)
        await gate.wait()
        container.say(NETWORK_OUTPUT[-1].data)
        return 0

    stage.engine.images[NETWORK] = FakeImage(program=scan)
    return gate
