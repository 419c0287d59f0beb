"""A destination that is removed while a delivery to it is previewed, approved or sent: neither fails."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from made_deliveries import add_destination, approve, approve_discoveries, items_of, preview, show
from sqlalchemy import text

from approval_api.database.engine import DELIVERY_ROLE, create_engine
from approval_api.deliveries import repository, service
from approval_api.deliveries.sending import outbox
from approval_api.deliveries.sending.sender import Result
from approval_api.web.problems import ProblemError

PRODUCTION = "/api/v1/production"
HOSTS = [("host", f"192.0.2.{number}", "{}") for number in (1, 2)]
A_WHILE = 0.3
"""Longer than connections take to open."""


@pytest.fixture
def programs():
    return "ada/admin+approver"


@pytest.fixture
async def destination(engine):
    await approve_discoveries(engine, *HOSTS)
    return await add_destination(engine, kind="csv")


def slowed(work, reached, *, first):
    """Return `work` that waits before it, or after it where it comes `first`, and says when it does."""

    async def slowly(*which, **options):
        done = await work(*which, **options) if first else None
        reached.set()
        await asyncio.sleep(A_WHILE)
        return done if first else await work(*which, **options)

    return slowly


async def together(api, path, reached, destination):
    """Return the status of a command, and of the removal of its destination that begins during it."""
    command = asyncio.create_task(api.client.post(f"{PRODUCTION}{path}"))
    await reached.wait()
    removed = await api.client.delete(f"{PRODUCTION}/destinations/{destination}")
    return (await command).status_code, removed.status_code


@pytest.mark.whole_pool
async def test_a_preview_holds_its_destination(api, destination, monkeypatch):
    reached = asyncio.Event()
    monkeypatch.setattr(
        repository, "find_destination", slowed(repository.find_destination, reached, first=True)
    )
    path = f"/destinations/{destination}/deliveries"
    assert await together(api, path, reached, destination) == (201, 204)


@pytest.mark.whole_pool
async def test_an_approval_holds_its_destination(api, engine, destination, monkeypatch):
    delivery = (await preview(engine, destination)).id
    reached = asyncio.Event()
    monkeypatch.setattr(repository, "approve", slowed(repository.approve, reached, first=False))
    path = f"/deliveries/{delivery}/approve"
    assert await together(api, path, reached, destination) == (202, 204)


@pytest.fixture
async def sender(database_url):
    engine = create_engine(database_url, role=DELIVERY_ROLE)
    yield engine
    await engine.dispose()


@asynccontextmanager
async def locked(engine, item):
    """Hold the row of an item, so that whatever removes its destination stops there."""
    async with engine.begin() as connection:
        await connection.execute(
            text("SELECT 1 FROM gateway.delivery_items WHERE id = :id FOR UPDATE"), {"id": item}
        )
        yield


@pytest.mark.parametrize("outcome", ["delivered", "given up"])
async def test_what_became_of_an_item_is_stored_beside_a_removal(engine, sender, outcome):
    await approve_discoveries(engine, *HOSTS)
    url = "https://hooks.example.com/x"
    destination = await add_destination(engine, kind="webhook", url=url, credential="hook")
    delivery = (await approve(engine, (await preview(engine, destination)).id)).id
    async with sender.begin() as connection:
        (_, item), _ = await outbox.claim(connection, destination, 2)

    async def remove():
        async with engine.begin() as connection:
            await service.remove_destination(connection, destination)

    async def store():
        async with sender.begin() as connection:
            if outcome == "delivered":
                await outbox.store_delivery(connection, item, Result("create", "HTTP 204"))
            else:
                # Sent before, so that the destination may have it.
                await outbox.give_up(connection, replace(item, attempts=2), "no answer")

    first = min(each.id for each in await items_of(engine, delivery))
    async with locked(engine, first):
        removal = asyncio.create_task(remove())
        await asyncio.sleep(A_WHILE)
        storing = asyncio.create_task(store())
        await asyncio.sleep(A_WHILE)
    await asyncio.gather(removal, storing)
    with pytest.raises(ProblemError):
        await show(engine, delivery)
