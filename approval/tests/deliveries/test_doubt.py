"""A receiver that did not answer may have acted: the current state is sent again, even a removal."""

import asyncio
import time

import pytest
from made_deliveries import (
    add_destination,
    approve,
    approve_discoveries,
    items_of,
    make_everything_due,
    preview,
    show,
)
from receiver import RESET, answer, receiving
from sqlalchemy import text

from approval_api.deliveries import repository, service
from approval_api.deliveries.sending import outbox, worker

HOST = ("host", "192.0.2.7", '{"name": "a"}')
CHANGED = ("host", "192.0.2.7", '{"name": "b"}')


class Hook:
    """A receiver that acts on every message, and loses its answer where a test says so."""

    def __init__(self, engine, receiver, process):
        self.engine, self.receiver, self.process = engine, receiver, process
        self.silent = False
        receiver.behaviour = lambda _: RESET if self.silent else answer(204)

    @property
    def acted(self):
        return [(seen.json["type"].rpartition(".")[2], seen.json["data"]["data"]) for seen in self.received]

    @property
    def received(self):
        return self.receiver.received

    async def deliver(self):
        delivery = (await preview(self.engine, self.destination)).id
        await approve(self.engine, delivery)
        await self.process.work()
        return delivery

    async def lose_an_answer(self, *discoveries):
        """Deliver what is approved now; the answer is lost, and nobody repeats it yet."""
        await approve_discoveries(self.engine, *discoveries)
        self.silent = True
        delivery = await self.deliver()
        self.silent = False
        return delivery

    async def go(self):
        await self.change("gone_at = now(), change = 'gone', revision = revision + 1")

    async def come_back(self):
        await self.change("gone_at = NULL, change = 'returned', revision = revision + 1")

    async def change(self, what):
        async with self.engine.begin() as connection:
            await connection.execute(text(f"UPDATE gateway.discoveries SET {what}"))

    async def repeat(self, delivery):
        """Let its pause end: what it was about is no more as it was previewed."""
        await make_everything_due(self.engine)
        await self.process.work()
        assert (await show(self.engine, delivery)).counts.withdrawn == 1


@pytest.fixture
async def hook(engine, delivering):
    async with receiving() as receiver:
        hook = Hook(engine, receiver, delivering(receiver))
        hook.destination = await add_destination(
            engine, kind="webhook", url=receiver.url(), credential="hook"
        )
        yield hook


async def test_a_removal_follows_a_creation_whose_answer_was_lost(hook):
    delivery = await hook.lose_an_answer(HOST)
    await hook.go()
    await hook.repeat(delivery)
    async with hook.engine.connect() as connection:
        assert await repository.holders(connection, 1) == [], "nobody knows that it has it"
    await hook.deliver()
    assert [action for action, _ in hook.acted] == ["created", "removed"]


async def test_what_returns_is_sent_after_a_removal_whose_answer_was_lost(hook):
    await approve_discoveries(hook.engine, HOST)
    await hook.deliver()
    await hook.go()
    hook.silent = True
    delivery = await hook.deliver()
    hook.silent = False
    await hook.come_back()
    await hook.repeat(delivery)
    await hook.deliver()
    assert [action for action, _ in hook.acted] == ["created", "removed", "created"]


async def test_what_changes_back_is_sent_after_a_change_whose_answer_was_lost(hook):
    await approve_discoveries(hook.engine, HOST)
    await hook.deliver()
    delivery = await hook.lose_an_answer(CHANGED)
    await approve_discoveries(hook.engine, HOST)
    await hook.repeat(delivery)
    await hook.deliver()
    names = [(action, data["name"]) for action, data in hook.acted]
    assert names == [("created", "a"), ("changed", "b"), ("changed", "a")]


async def test_what_was_given_up_without_an_answer_may_be_there(hook):
    delivery = await hook.lose_an_answer(HOST)
    hook.silent = True
    for _ in range(worker.MOST_ATTEMPTS):
        await make_everything_due(hook.engine)
        await hook.process.work()
    hook.silent = False
    assert (await show(hook.engine, delivery)).state == "stuck"
    hook.received.clear()
    await hook.go()
    await hook.deliver()
    assert [action for action, _ in hook.acted] == ["removed"]


async def test_what_was_refused_at_once_is_not_there(hook):
    hook.receiver.behaviour = lambda _: answer(400)
    await approve_discoveries(hook.engine, HOST)
    await hook.deliver()
    await hook.go()
    with pytest.raises(service.ProblemError, match="has every approved discovery"):
        await preview(hook.engine, hook.destination)


async def test_a_process_that_was_halted_sends_nothing_that_another_may_have_sent(hook, monkeypatch):
    """Else a removal could arrive after what returned was created anew."""
    monkeypatch.setattr(worker, "SECONDS_FOR_ONE", 0.2)
    claim = outbox.claim

    async def halted(*given):
        claimed = await claim(*given)
        time.sleep(0.25)  # noqa: ASYNC251  # the whole process
        return claimed

    monkeypatch.setattr(outbox, "claim", halted)
    await approve_discoveries(hook.engine, HOST)
    delivery = await hook.deliver()
    assert hook.received == []
    monkeypatch.undo()
    await make_everything_due(hook.engine)
    await hook.process.work()
    assert (await show(hook.engine, delivery)).state == "done"


async def test_an_item_that_ends_every_process_is_given_up(hook):
    await approve_discoveries(hook.engine, HOST)
    delivery = (await preview(hook.engine, hook.destination)).id
    await approve(hook.engine, delivery)
    async with hook.engine.begin() as connection:
        taken = {"most": worker.MOST_ATTEMPTS}
        await connection.execute(text("UPDATE gateway.delivery_items SET attempts = :most"), taken)
    await hook.process.work()
    (item,) = await items_of(hook.engine, delivery)
    assert (item.state, hook.received) == ("dead", [])
    assert "none of 10 attempts came to an end" in item.answer


async def test_a_preview_while_items_are_sent_again_holds_nobody_up(hook):
    hook.receiver.behaviour = lambda _: answer(400)
    await approve_discoveries(hook.engine, HOST)
    delivery = await hook.deliver()
    async with hook.engine.begin() as resending:
        await service.resend(resending, delivery)
        other = asyncio.create_task(preview(hook.engine, hook.destination))
        await asyncio.wait({other}, timeout=0.2)
        assert not other.done()
    with pytest.raises(service.ProblemError, match="on its way there"):
        await other
