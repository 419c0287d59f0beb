"""A destination of which nothing comes is left alone, and tried again at growing pauses."""

from datetime import UTC, datetime

import pytest
from made_deliveries import (
    add_destination,
    approve,
    approve_discoveries,
    make_everything_due,
    preview,
    show,
)
from receiver import RESET, answer, receiving
from sqlalchemy import text


async def approved(engine, receiver, number):
    """Approve a delivery of so many hosts."""
    await approve_discoveries(engine, *(("host", f"192.0.2.{n}", "{}") for n in range(1, number + 1)))
    destination = await add_destination(engine, kind="webhook", url=receiver.url(), credential="hook")
    return (await approve(engine, (await preview(engine, destination)).id)).id


@pytest.mark.parametrize("said", [answer(503), answer(429), RESET])
async def test_a_destination_of_which_nothing_comes_is_left_alone_for_longer_and_longer(
    engine, delivering, said
):
    """Not every item learns by itself that the other side is down, and none is given up meanwhile."""
    async with receiving(lambda _: said) as receiver:
        delivery = await approved(engine, receiver, 29)
        process = delivering(receiver)
        process.deliverer._first_pause = 10
        rests = []
        for round_ in range(1, 8):
            if round_ == 4:
                # Another process, or a new one, knows how long the destination has been silent.
                process = delivering(receiver)
                process.deliverer._first_pause = 10
            await process.work()
            await process.work()
            assert len(receiver.received) <= 4 * round_
            async with engine.begin() as connection:
                rest = await connection.execute(
                    text("SELECT extract(epoch FROM not_before - now()) FROM gateway.destinations")
                )
                rests.append(float(rest.scalar_one()))
            until = (await show(engine, delivery)).rests_until
            assert (until - datetime.now(UTC)).total_seconds() == pytest.approx(rests[-1], abs=5)
            async with engine.begin() as connection:
                await connection.execute(text("UPDATE gateway.destinations SET not_before = NULL"))
        assert rests == pytest.approx([10, 20, 40, 80, 160, 300, 300], abs=5)
        receiver.behaviour = lambda _: answer(204)
        await make_everything_due(engine)
        await process.work()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.destinations SET not_before = now() + interval '1 h'"))
    shown = await show(engine, delivery)
    assert (shown.state, shown.rests_until) == ("done", None)
    async with engine.connect() as connection:
        counted = await connection.execute(text("SELECT unanswered FROM gateway.destinations"))
    assert counted.scalar_one() == 0, "the next silence begins anew"


async def test_one_item_that_fails_does_not_stop_the_others(engine, delivering):
    async with receiving(
        lambda seen: answer(500 if seen.json["data"]["key"] == "192.0.2.1" else 204)
    ) as receiver:
        delivery = await approved(engine, receiver, 9)
        await delivering(receiver).work()
    counts = (await show(engine, delivery)).counts
    assert (counts.delivered, counts.waiting) == (8, 1)
