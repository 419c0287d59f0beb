"""One piece of costly work per iteration of the loop, and no client waits for another's whole queue."""

import asyncio

from docker_guard.clients.turns import Turns


async def test_one_piece_of_work_per_turn_with_other_work_in_between():
    turns, happened = Turns(), []

    async def work(key: str) -> None:
        await turns.mine(key)
        happened.append(key)

    async def other() -> None:
        for _ in range(20):
            happened.append(".")
            await asyncio.sleep(0)

    await asyncio.gather(other(), *(work("a") for _ in range(6)))
    assert "aa" not in "".join(happened)
    assert happened.count("a") == 6


async def test_clients_are_served_round_robin():
    turns, happened = Turns(), []

    async def work(key: str) -> None:
        await turns.mine(key)
        happened.append(key)

    await asyncio.gather(*(work(key) for key in "aaaaab"))
    assert happened.index("b") <= 2


async def test_a_client_that_gives_up_keeps_nobody_waiting():
    turns = Turns()
    left = asyncio.create_task(turns.mine("a"))
    stays = asyncio.create_task(turns.mine("a"))
    await asyncio.sleep(0)
    left.cancel()
    async with asyncio.timeout(1):
        await stays
        await turns.mine("b")
