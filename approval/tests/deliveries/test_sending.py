"""Sending: once in effect, in order for each host, whatever the other side does and whoever is killed."""

import asyncio
import os
import random
from collections import Counter

import pytest
from made_deliveries import (
    SECRET,
    add_destination,
    approve,
    approve_discoveries,
    items_of,
    make_everything_due,
    preview,
    set_status,
    show,
)
from receiver import HANG, RESET, answer, receiving
from standardwebhooks import Webhook

from approval_api.deliveries import service

HOST = ("host", "192.0.2.1", '{"name": "a"}')
SERVICE = ("service", "192.0.2.1:22/tcp", '{"product": "OpenSSH"}')
OTHER = ("host", "192.0.2.2", "{}")

MANY = int(os.environ.get("DRYRUN_DELIVERIES", "100"))
"""`make nightly` delivers 1,000."""


async def approved(engine, receiver, *rows, **wanted):
    await approve_discoveries(engine, *rows)
    destination = await add_destination(
        engine, kind="webhook", url=receiver.url(), credential="hook", **wanted
    )
    return (await approve(engine, (await preview(engine, destination)).id)).id


async def test_a_webhook_is_signed_and_says_what_it_is_about(engine, delivering):
    async with receiving() as receiver:
        delivery = await approved(engine, receiver, HOST)
        await delivering(receiver).work()
    (seen,) = receiver.received
    message = Webhook(SECRET).verify(seen.body, seen.headers)
    assert message["type"] == "discovery.created"
    assert message["data"]["key"] == "192.0.2.1"
    assert message["data"]["data"] == {"name": "a"}
    assert message["data"]["approved_by"] == "ada"
    shown = await show(engine, delivery)
    assert (shown.state, shown.counts.delivered) == ("done", 1)
    (item,) = await items_of(engine, delivery)
    assert (item.answer, item.attempts) == ("HTTP 204", 1)


async def test_nothing_is_sent_before_it_is_approved(engine, delivering):
    async with receiving() as receiver:
        await approve_discoveries(engine, HOST)
        destination = await add_destination(engine, kind="webhook", url=receiver.url(), credential="hook")
        await preview(engine, destination)
        await delivering(receiver).work()
    assert receiver.received == []


async def test_what_loses_its_approval_is_not_sent(engine, delivering):
    async with receiving() as receiver:
        delivery = await approved(engine, receiver, HOST, OTHER)
        await set_status(engine, "192.0.2.1", "rejected")
        await approve_discoveries(engine, ("host", "192.0.2.2", '{"new": 1}'))
        await delivering(receiver).work()
    assert receiver.received == []
    assert (await show(engine, delivery)).counts.withdrawn == 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(500, b"oops\x1b[31m"), r"HTTP 500: oops\x1b[31m"),
        (answer(429), "HTTP 429"),
        (HANG, "no whole answer"),
        (RESET, "broke"),
    ],
)
async def test_what_may_heal_is_repeated_with_the_same_id(engine, delivering, said, reason):
    answers = [said, answer(200)]
    async with receiving(lambda _: answers.pop(0)) as receiver:
        delivery = await approved(engine, receiver, HOST)
        process = delivering(receiver, seconds=1)
        await process.work()
        assert (await show(engine, delivery)).state == "sending"
        (item,) = await items_of(engine, delivery)
        assert reason in item.answer
        await process.work()
        assert len(receiver.received) == 1, "not before its pause is over"
        await make_everything_due(engine)
        await process.work()
    assert (await show(engine, delivery)).state == "done"
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(400, b"no"), "HTTP 400: no"),
        (answer(410), "HTTP 410"),
        (answer(302, b"", Location="http://127.0.0.1:5432/"), "redirects are not followed"),
    ],
)
async def test_what_does_not_heal_is_given_up_and_sent_again_when_a_person_says_so(
    engine, delivering, said, reason
):
    answers = [said, answer(200)]
    async with receiving(lambda _: answers.pop(0)) as receiver:
        delivery = await approved(engine, receiver, HOST)
        process = delivering(receiver)
        await process.work()
        assert (await show(engine, delivery)).state == "stuck"
        (item,) = await items_of(engine, delivery)
        assert (item.state, reason in item.answer) == ("dead", True)
        await make_everything_due(engine)
        await process.work()
        assert len(receiver.received) == 1
        async with engine.begin() as connection:
            assert (await service.resend(connection, delivery)).state == "sending"
        await process.work()
    assert (await show(engine, delivery)).state == "done"
    assert len({seen.headers["webhook-id"] for seen in receiver.received}) == 1


async def test_ten_attempts_are_the_most(engine, delivering):
    async with receiving(lambda _: answer(503)) as receiver:
        delivery = await approved(engine, receiver, HOST)
        process = delivering(receiver)
        for _ in range(12):
            await process.work()
            await make_everything_due(engine)
    assert len(receiver.received) == 10
    (item,) = await items_of(engine, delivery)
    assert item.state == "dead"
    assert "10 attempts" in item.answer


async def test_a_given_up_item_is_superseded_by_the_next_delivery(engine, delivering):
    answers = [answer(400), answer(200)]
    async with receiving(lambda _: answers.pop(0)) as receiver:
        old = await approved(engine, receiver, HOST)
        process = delivering(receiver)
        await process.work()
        await approve_discoveries(engine, ("host", "192.0.2.1", '{"name": "b"}'))
        new = await preview(engine, (await show(engine, old)).destination_id)
        assert (await show(engine, old)).counts.superseded == 1
        async with engine.begin() as connection:
            await service.resend(connection, old)
        await process.work()
        assert len(receiver.received) == 1, "the old state is sent no more"
        await approve(engine, new.id)
        await process.work()
    assert receiver.received[1].json["data"]["data"] == {"name": "b"}


async def test_a_host_that_wants_to_be_left_alone_is(engine, delivering):
    async with receiving(lambda _: answer(429, b"", Retry_After="600")) as receiver:
        await approved(engine, receiver, *(("host", f"192.0.2.{n}", "{}") for n in range(1, 30)))
        process = delivering(receiver)
        await process.work()
        await process.work()
    assert len(receiver.received) <= 4


async def test_an_item_says_that_its_destination_is_not_listed_or_has_no_secret(engine, delivering):
    async with receiving() as receiver:
        delivery = await approved(engine, receiver, HOST)
        await delivering(at=receiver).work()
        (item,) = await items_of(engine, delivery)
        assert "not among the hosts" in item.answer
        async with engine.begin() as connection:
            await service.resend(connection, delivery)
        await delivering(receiver, hook="whsec_not base64!").work()
        (item,) = await items_of(engine, delivery)
        assert "base64" in item.answer
    assert receiver.connections == 0


async def test_items_of_a_host_come_one_after_the_other(engine, delivering):
    """Its host waits out a pause: the service waits with it, other hosts do not."""

    def behaviour(seen):
        key = seen.json["data"]["key"]
        return answer(503 if key == "192.0.2.1" and len(receiver.received) < 3 else 200)

    async with receiving(behaviour) as receiver:
        await approved(engine, receiver, HOST, SERVICE, OTHER)
        process = delivering(receiver)
        await process.work()
        keys = sorted(seen.json["data"]["key"] for seen in receiver.received)
        assert keys == ["192.0.2.1", "192.0.2.2"]
        await make_everything_due(engine)
        await process.work()
    assert [seen.json["data"]["key"] for seen in receiver.received[2:]] == ["192.0.2.1", "192.0.2.1:22/tcp"]


async def test_several_workers_send_each_item_once(engine, delivering):
    async with receiving() as receiver:
        rows = [("host", f"198.51.100.{n}", "{}") for n in range(1, 60)]
        rows += [("service", f"198.51.100.{n}:22/tcp", "{}") for n in range(1, 60)]
        delivery = await approved(engine, receiver, *rows)
        processes = [delivering(receiver) for _ in range(3)]
        for _ in range(3):
            await asyncio.gather(*(process.work() for process in processes))
    assert (await show(engine, delivery)).counts.delivered == 118
    times = Counter(seen.headers["webhook-id"] for seen in receiver.received)
    assert (len(times), set(times.values())) == (118, {1})
    order = [seen.json["data"]["key"] for seen in receiver.received]
    for n in range(1, 60):
        assert order.index(f"198.51.100.{n}") < order.index(f"198.51.100.{n}:22/tcp")


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_other_side_does_nothing_is_lost_and_nothing_doubled(engine, delivering, seed):
    """A receiver that acts once for each id, as the specification says, and fails in every way meanwhile."""
    chance = random.Random(seed)
    acted = {}

    def behaviour(seen):
        fault = chance.choice(["none", "none", "429", "500", "reset", "lost", "lost_500"])
        if fault in {"none", "lost", "lost_500"}:
            # The act is there, the answer may not be.
            acted.setdefault(seen.headers["webhook-id"], seen.json["data"]["key"])
        return {
            "429": answer(429),
            "500": answer(500),
            "reset": RESET,
            "lost": RESET,
            "lost_500": answer(502),
        }.get(fault, answer(200))

    async with receiving(behaviour) as receiver:
        rows = [("host", f"198.51.{n // 250}.{n % 250}", "{}") for n in range(MANY)]
        delivery = await approved(engine, receiver, *rows)
        process = delivering(receiver)
        for _ in range(MANY):
            await process.work()
            if (await show(engine, delivery)).state != "sending":
                break
            await make_everything_due(engine)
        counts = (await show(engine, delivery)).counts
        if counts.dead:
            async with engine.begin() as connection:
                await service.resend(connection, delivery)
            receiver.behaviour = lambda seen: (
                acted.setdefault(seen.headers["webhook-id"], seen.json["data"]["key"]) and answer(200)
            )
            await make_everything_due(engine)
            await process.work()
    assert (await show(engine, delivery)).counts.delivered == MANY
    assert sorted(acted.values()) == sorted(key for _, key, _ in rows)
