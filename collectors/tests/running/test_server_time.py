import asyncio
import time

import pytest

from discovery_collectors.running.server_time import ServerTime


async def test_pauses_do_not_count():
    server = ServerTime(0.2, 100)
    async with server.running():
        for _ in range(3):
            await server.pause(15)


async def test_no_pause_that_was_not_made_is_the_server_s():
    server = ServerTime(0.2, 100)

    async def answer():
        async with server.running():
            await server.pause(15)
            await asyncio.sleep(30)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await answer()
    assert 0.3 < time.monotonic() - began < 5


async def test_without_a_rate_there_are_no_pauses():
    began = time.monotonic()
    await ServerTime(60, None).pause(1000)
    assert time.monotonic() - began < 1
