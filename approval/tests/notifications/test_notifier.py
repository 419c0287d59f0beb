"""Messages: one for what a channel gathered, signed, inert, once, and to nowhere that is not listed."""

import asyncio

import pytest
from notified import HOSTILE, KEY, add_channel, make_everything_due, said, states
from receiver import answer, receiving
from sqlalchemy import text
from standardwebhooks import Webhook

from approval_api.notifications import repository
from approval_api.notifications.sending import messages, outbox
from approval_api.notifications.sending.outbox import MOST_ATTEMPTS


async def test_a_webhook_reports_all_in_one_signed_message(engine, notifying):
    async with receiving() as receiver:
        channel = await add_channel(engine, "webhook", receiver.url(), "one", "two")
        await (await notifying(receiver)).work_once()
    (seen,) = receiver.received
    message = Webhook(KEY).verify(seen.body, seen.headers)
    assert [each["text"] for each in message["data"]["events"]] == ["one", "two"]
    assert message["data"]["events"][0]["url"] == "https://approval.example/dryrun/sessions/1"
    assert await states(engine, channel) == ["sent", "sent"]
    assert await said(engine, channel) == "HTTP 204"


async def test_a_message_that_ends_every_process_is_given_up(engine, notifying):
    """Such a process stores nothing of what became of it."""
    async with receiving() as receiver:
        channel = await add_channel(engine, "slack", receiver.url(), "one")
        async with engine.begin() as connection:
            most = {"most": MOST_ATTEMPTS}
            await connection.execute(text("UPDATE gateway.notifications SET attempts = :most"), most)
        await (await notifying(receiver)).work_once()
        assert receiver.received == []
    assert await states(engine, channel) == ["dead"]
    assert "none of 8 attempts came to an end" in await said(engine, channel)


async def test_a_message_that_this_service_fails_at_is_given_up_after_some_attempts(
    engine, notifying, monkeypatch
):
    monkeypatch.setattr(messages, "slack", lambda *_: 1 / 0)
    async with receiving() as receiver:
        channel = await add_channel(engine, "slack", receiver.url(), "one")
        notifier = await notifying(receiver)
        for _ in range(MOST_ATTEMPTS):
            assert await states(engine, channel) == ["waiting"]
            await notifier.work_once()
            await make_everything_due(engine)
    assert await states(engine, channel) == ["dead"]
    assert await said(engine, channel) == "an error of this service; see its log"


async def test_a_lost_answer_repeats_the_same_message_and_newer_ones_wait_for_their_own(engine, notifying):
    answers = [answer(503), answer(200), answer(200)]
    async with receiving(lambda _: answers.pop(0)) as receiver:
        channel = await add_channel(engine, "webhook", receiver.url(), "one")
        notifier = await notifying(receiver)
        await notifier.work_once()
        await notifier.work_once()
        assert len(receiver.received) == 1, "not before its pause is over"
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO gateway.notifications (channel_id, occasion, object, text, link) "
                    "VALUES (:id, 'session_failed', 'x', 'two', '/')"
                ),
                {"id": channel},
            )
        await make_everything_due(engine)
        await notifier.work_once()
    first, *others = receiver.received
    texts = {
        seen.headers["webhook-id"]: [each["text"] for each in seen.json["data"]["events"]] for seen in others
    }
    assert texts.pop(first.headers["webhook-id"]) == ["one"]
    assert list(texts.values()) == [["two"]]
    assert await states(engine, channel) == ["sent", "sent"]


@pytest.mark.parametrize(("asked_for", "seconds"), [("600", 600), ("5", 30), ("999999", 3600)])
async def test_a_channel_is_left_alone_for_as_long_as_it_asks(engine, notifying, asked_for, seconds):
    """At least for its own growing pause, at most for an hour."""
    async with receiving(lambda _: answer(429, Retry_After=asked_for)) as receiver:
        await add_channel(engine, "webhook", receiver.url(), "one")
        await (await notifying(receiver)).work_once()
    async with engine.connect() as connection:
        left = await connection.scalar(
            text("SELECT extract(epoch FROM next_at - now()) FROM gateway.notifications")
        )
    assert seconds - 10 < left <= seconds


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_text_of_targets_is_inert_in_chats(engine, notifying, kind):
    async with receiving() as receiver:
        await add_channel(engine, kind, receiver.url(), HOSTILE)
        await (await notifying(receiver)).work_once()
    (seen,) = receiver.received
    assert b"\\u001b" not in seen.body
    assert b"\x1b" not in seen.body
    if kind == "slack":
        assert "<!channel>" not in seen.json["text"]
        assert {block["text"]["type"] for block in seen.json["blocks"]} == {"plain_text"}
    else:
        (card,) = seen.json["attachments"]
        assert "\\[x\\]\\(http:" in card["content"]["body"][0]["text"]


async def test_a_host_that_is_not_listed_gets_nothing_and_a_redirect_is_not_followed(engine, notifying):
    async with (
        receiving() as inside,
        receiving(lambda _: answer(307, b"", Location=inside.url())) as receiver,
    ):
        other = await add_channel(engine, "slack", inside.url(), "one")
        redirected = await add_channel(engine, "slack", receiver.url(), "one")
        await (await notifying(receiver)).work_once()
    assert inside.connections == 0
    assert "not among the hosts" in await said(engine, other)
    assert "redirects are not followed" in await said(engine, redirected)
    assert await states(engine, other) == await states(engine, redirected) == ["dead"]


async def test_quiet_channels_wait_and_a_test_does_not(engine, notifying):
    async with receiving() as receiver:
        quiet = {"quiet_from": "00:00", "quiet_to": "23:59"}
        channel = await add_channel(engine, "slack", receiver.url(), "one", gather_minutes=1440, **quiet)
        notifier = await notifying(receiver)
        await notifier.work_once()
        assert receiver.received == []
        async with engine.begin() as connection:
            await repository.request_test(connection, channel, "ada")
            await repository.request_test(connection, channel, "ada")
        await notifier.work_once()
    assert "this channel works" in receiver.received[0].json["text"]
    assert await states(engine, channel) == ["waiting", "sent"]


async def test_a_hundred_quiet_channels_hold_up_no_other(engine, notifying):
    async with receiving() as receiver:
        quiet = {"quiet_from": "00:00", "quiet_to": "23:59", "gather_minutes": 1440}
        for _ in range(101):
            await add_channel(engine, "slack", receiver.url(), "one", **quiet)
        await add_channel(engine, "slack", receiver.url(), "two")
        await (await notifying(receiver)).work_once()
    assert len(receiver.received) == 1


async def test_eight_attempts_are_the_most(engine, notifying):
    async with receiving(lambda _: answer(500)) as receiver:
        channel = await add_channel(engine, "slack", receiver.url(), "one")
        notifier = await notifying(receiver)
        for _ in range(10):
            await notifier.work_once()
            await make_everything_due(engine)
    assert len(receiver.received) == 8
    assert await states(engine, channel) == ["dead"]


async def test_a_channel_is_removed_beside_what_became_of_its_message(engine, notifying):
    """A deadlock ended one of the two after a second."""
    channel = await add_channel(engine, "webhook", "https://hooks.example.com/x", "later")
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.notifications SET next_at = now() + interval '1 h'"))
        await connection.execute(
            text(
                "INSERT INTO gateway.notifications (channel_id, occasion, object, text, link) "
                "VALUES (:channel, 'session_failed', 'x', 'x', '/')"
            ),
            {"channel": channel},
        )
    sender = (await notifying())._engine
    async with sender.begin() as connection:
        (due,) = await outbox.due(connection)
        message = await outbox.claim(connection, due)

    async def remove():
        async with engine.begin() as connection:
            assert await repository.remove(connection, channel, "ada")

    async def store():
        async with sender.begin() as connection:
            await outbox.store(connection, message, "HTTP 204", sent=True, may_heal=False)

    async with engine.begin() as connection:
        first = text("SELECT 1 FROM gateway.notifications WHERE text = 'later' FOR UPDATE")
        await connection.execute(first)
        removing = asyncio.create_task(remove())
        await asyncio.sleep(0.3)
        storing = asyncio.create_task(store())
        await asyncio.sleep(0.3)
    await asyncio.gather(removing, storing)
    assert await states(engine, channel) == []
