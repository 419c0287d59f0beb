"""Work in its own thread goes on whatever its caller's loop does, and its outcome is reported."""

import asyncio
import threading
import time

import pytest

from docker_guard.sessions.own_thread import in_own_thread


async def test_a_blocked_loop_does_not_delay_the_work():
    ticks = []

    async def work() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.05)

    async with in_own_thread(work, "ticking"):
        await asyncio.sleep(0.1)
        before = len(ticks)
        time.sleep(1)  # noqa: ASYNC251 - what a client must not be able to do to the work
        assert len(ticks) >= before + 5
    assert "ticking" not in {thread.name for thread in threading.enumerate()}


async def test_the_outcome_of_the_work_is_reported():
    async def work() -> None:
        await asyncio.sleep(0.01)
        raise ArithmeticError("no more")

    async with in_own_thread(work, "failing") as working:
        with pytest.raises(ArithmeticError):
            await asyncio.wait_for(working, 2)


async def test_work_cleans_up_behind_itself_at_the_end():
    happened = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            happened.append("closed")

    async with in_own_thread(work, "cleaning"):
        await asyncio.sleep(0.05)
    assert happened == ["closed"]
