import asyncio

import pytest

from discovery_collectors.running.packet_rate import PacketRate


async def order_of(rate: PacketRate, *calls: tuple[str, bool]) -> list[str]:
    """Return the names of the calls in the order of their turns."""
    turns = []

    async def take(name: str, ahead: bool) -> None:
        await rate.take(10, ahead=ahead)
        turns.append(name)

    async with asyncio.TaskGroup() as group:
        for name, ahead in calls:
            group.create_task(take(name, ahead))
    return turns


async def test_what_goes_ahead_has_its_turn_before_what_waits_already():
    calls = [("first", False), ("second", False), ("third", False), ("nmap's", True), ("nmap's next", True)]
    turns = await order_of(PacketRate(200), *calls)
    assert turns == ["first", "nmap's", "nmap's next", "second", "third"]


@pytest.mark.parametrize("ahead", [False, True])
async def test_every_packet_is_paid_for(ahead):
    loop = asyncio.get_running_loop()
    began = loop.time()
    await order_of(PacketRate(200), *[("", ahead)] * 5)
    # The first goes at once, the others 50 ms after each other.
    assert loop.time() - began >= 0.199


async def test_who_is_cancelled_takes_nobodys_turn():
    rate = PacketRate(100)
    await rate.take(10)
    gone = [asyncio.create_task(rate.take(1000)) for _ in range(3)]
    await asyncio.sleep(0)
    for each in gone:
        each.cancel()
    await asyncio.wait_for(rate.take(1), 2)


async def test_a_new_rate_holds_for_those_who_wait():
    rate = PacketRate(10)
    await rate.take(1)
    waiting = [asyncio.create_task(rate.take(10)) for _ in range(4)]
    await asyncio.sleep(0)
    rate.change(1000)
    await asyncio.wait_for(asyncio.gather(*waiting), 2)
