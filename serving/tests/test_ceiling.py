"""Places are shared: whoever takes all they can leaves one to the next, and nobody is overtaken for ever."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from dryrun_serving.ceiling import Ceiling

SOON = 0.05


async def takes_all_it_can(held: AsyncExitStack, places: Ceiling, who: str) -> int:
    """Take places until one does not come; return how many came."""
    for number in range(100):
        try:
            await held.enter_async_context(places.place_within(SOON, who))
        except TimeoutError:
            return number
    raise AssertionError


@pytest.mark.parametrize(
    ("in_all", "of_one", "shares"),
    [
        (4, 2, [2, 1, 1]),
        (9, 5, [5, 2, 1, 1]),
        (16, 3, [3, 3, 3, 3, 2, 1, 1]),
        (2, 1, [1, 1]),
        (1, 1, [1]),
        (4, 4, [4]),
    ],
)
async def test_those_who_take_all_they_can_leave_places_to_the_next(in_all, of_one, shares):
    places = Ceiling(in_all, of_one)
    async with AsyncExitStack() as held:
        for number, share in enumerate(shares):
            assert await takes_all_it_can(held, places, f"p{number}") == share
    assert places.total == 0


async def test_the_next_place_is_for_whoever_holds_fewest_however_many_wait_before_them():
    places, order = Ceiling(4, 2), []

    async def comes(who: str) -> None:
        async with places.place_within(30, who):
            order.append(who)
            await asyncio.sleep(SOON)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for _ in range(20):
            for who in ("ada", "bob", "eve", "mallory"):
                group.create_task(comes(who))
        await asyncio.sleep(0)
        group.create_task(comes("carol"))
    # Four places come free at once, and each of the other four is served once at most before her.
    assert order.index("carol") < 9
    assert places.total == 0


async def test_whoever_was_served_longest_ago_is_served_first_of_those_who_hold_none():
    places, order = Ceiling(1, 1), []

    async def comes(who: str) -> None:
        async with places.place_within(30, who):
            order.append(who)

    async with asyncio.TaskGroup() as group, places.place_within(1, "first"):
        for who in ("ada", "ada", "ada", "bob", "bob", "carol"):
            group.create_task(comes(who))
        await asyncio.sleep(0)
    assert order == ["ada", "bob", "carol", "ada", "bob", "ada"]


async def test_who_gives_up_waiting_leaves_no_place_taken_and_nobody_behind():
    places = Ceiling(1, 1)
    async with places.place_within(1, "ada"):
        waiting = asyncio.create_task(places.place_within(30, "bob").__aenter__())
        with pytest.raises(TimeoutError):
            async with places.place_within(SOON, "carol"):
                pass
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert places.total == 0
    async with places.place_within(SOON, "carol"):
        assert places.total == 1


async def test_a_place_that_comes_as_the_wait_is_cancelled_is_given_back():
    places = Ceiling(1, 1)
    async with places.place_within(1, "ada"):
        waiting = asyncio.create_task(places.place_within(30, "bob").__aenter__())
        await asyncio.sleep(0)
    # The place is bob's now, and he has not run since.
    assert places.total == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert places.total == 0
