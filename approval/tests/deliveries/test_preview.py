"""A preview is the difference between what is approved and what a destination has."""

import asyncio

import pytest
from made_deliveries import (
    add_destination,
    approve,
    approve_discoveries,
    items_of,
    preview,
    set_status,
    show,
)
from sqlalchemy import text

from approval_api.deliveries import service
from approval_api.web.problems import ProblemError

HOST = ("host", "192.0.2.1", "{}")
SERVICE = ("service", "192.0.2.1:22/tcp", '{"product": "OpenSSH"}')


async def test_a_first_delivery_creates_what_is_approved_hosts_first(engine):
    await approve_discoveries(
        engine,
        ("service", "192.0.2.9:80/tcp", "{}"),
        SERVICE,
        ("database", "192.0.2.1:5432/tcp/shop", "{}"),
        HOST,
        ("host", "[2001:db8::1]", "{}"),
    )
    await approve_discoveries(engine, ("host", "192.0.2.7", "{}"), status="pending")
    destination = await add_destination(engine, kind="ndjson")
    delivery = await preview(engine, destination)
    assert (delivery.state, delivery.counts.create, delivery.unchanged) == ("planned", 5, 0)
    items = await items_of(engine, delivery.id)
    assert [item.key for item in items] == [
        "192.0.2.1",
        "192.0.2.1:22/tcp",
        "192.0.2.1:5432/tcp/shop",
        "192.0.2.9:80/tcp",
        "[2001:db8::1]",
    ]


async def test_the_next_one_has_what_is_new_and_what_changed(engine):
    await approve_discoveries(engine, HOST, SERVICE, ("host", "192.0.2.2", "{}"))
    destination = await add_destination(engine, kind="ndjson")
    first = await approve(engine, (await preview(engine, destination)).id)
    assert (first.state, first.counts.delivered) == ("done", 3)
    with pytest.raises(ProblemError, match="as it is"):
        await preview(engine, destination)
    # One changed, one changed and changed back, one is new, one changed and was not approved again.
    await approve_discoveries(engine, ("service", SERVICE[1], '{"product": "Dropbear"}'))
    await approve_discoveries(engine, ("host", "192.0.2.1", '{"x": 1}'), HOST, ("host", "192.0.2.3", "{}"))
    await approve_discoveries(engine, ("host", "192.0.2.2", '{"x": 1}'), status="pending")
    second = await preview(engine, destination)
    found = {item.key: item.action for item in await items_of(engine, second.id)}
    assert found == {"192.0.2.1": "leave", "192.0.2.1:22/tcp": "change", "192.0.2.3": "create"}
    assert (await approve(engine, second.id)).counts.delivered == 3
    with pytest.raises(ProblemError, match="as it is"):
        await preview(engine, destination)


async def test_what_is_on_its_way_is_in_no_second_delivery(engine):
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="ndjson")
    first = await preview(engine, destination)
    await approve_discoveries(engine, SERVICE)
    second = await preview(engine, destination)
    assert [item.key for item in await items_of(engine, second.id)] == [SERVICE[1]]
    assert (await show(engine, first.id)).counts.planned == 1


async def test_previews_at_the_same_time_share_nothing(engine):
    await approve_discoveries(engine, *(("host", f"192.0.2.{n}", "{}") for n in range(1, 50)))
    destination = await add_destination(engine, kind="ndjson")
    made = await asyncio.gather(*(preview(engine, destination) for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in made) == ["DeliveryView"] + ["ProblemError"] * 3


async def test_two_destinations_do_not_know_of_each_other(engine):
    await approve_discoveries(engine, HOST, SERVICE)
    first = await add_destination(engine, kind="ndjson")
    second = await add_destination(engine, kind="csv", kinds=["service"])
    await approve(engine, (await preview(engine, first)).id)
    assert (await preview(engine, second)).counts.create == 1


async def test_what_loses_its_approval_before_the_delivery_gets_its_own_is_withdrawn(engine):
    await approve_discoveries(engine, HOST, SERVICE)
    destination = await add_destination(engine, kind="ndjson")
    delivery = await preview(engine, destination)
    await set_status(engine, HOST[1], "rejected")
    counts = (await approve(engine, delivery.id)).counts
    assert (counts.delivered, counts.withdrawn) == (1, 1)


async def test_what_is_gone_is_not_delivered_and_comes_with_the_approval_of_its_return(engine):
    await approve_discoveries(engine, HOST, SERVICE)
    destination = await add_destination(engine, kind="ndjson")
    delivery = await preview(engine, destination)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.discoveries SET change = 'gone', gone_at = now() WHERE key = :key"),
            {"key": HOST[1]},
        )
    assert (await approve(engine, delivery.id)).counts.withdrawn == 1
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.discoveries SET change = 'returned', gone_at = NULL, revision = 2")
        )
    again = await items_of(engine, (await preview(engine, destination)).id)
    assert [(item.key, item.action) for item in again] == [(HOST[1], "create"), (SERVICE[1], "leave")]


async def test_the_page_of_what_is_gone_names_who_has_it_and_how_they_will_hear_of_it(api, engine):
    await approve_discoveries(engine, HOST, SERVICE)
    await add_destination(engine, name="empty", kind="csv")
    destination = await add_destination(engine, name="inventory", kind="ndjson")
    await approve(engine, (await preview(engine, destination)).id)
    (host, service) = (await api.client.get("/api/v1/production/discoveries?sort=oldest")).json()[
        "discoveries"
    ]
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.discoveries SET change = 'gone', gone_at = now() WHERE id = :id"),
            {"id": host["id"]},
        )
    gone, there = [
        (await api.client.get(f"/production/discoveries/{each['id']}")).text for each in (host, service)
    ]
    assert "<dt>Delivered to</dt><dd>inventory. Once its removal is approved" in gone
    assert "<dt>Delivered to</dt><dd>inventory</dd>" in there


async def test_a_discarded_preview_comes_again(engine):
    from approval_api.deliveries import service

    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="ndjson")
    delivery = await preview(engine, destination)
    async with engine.begin() as connection:
        assert (await service.discard(connection, delivery.id)).state == "discarded"
        with pytest.raises(ProblemError, match="discarded"):
            await service.approve(connection, delivery.id, "ada")
    assert (await preview(engine, destination)).counts.create == 1


async def test_a_person_has_so_many_previews_a_day_however_soon_they_are_discarded(engine, monkeypatch):
    monkeypatch.setattr(service, "MOST_PREVIEWS_A_DAY", 2)
    await approve_discoveries(engine, HOST, SERVICE)
    destination = await add_destination(engine, kind="ndjson")
    for _ in range(2):
        delivery = await preview(engine, destination)
        async with engine.begin() as connection:
            await service.discard(connection, delivery.id)
    with pytest.raises(ProblemError, match="2 deliveries previewed within a day") as refused:
        await preview(engine, destination)
    assert refused.value.problem.status == 429
    async with engine.begin() as connection:
        assert (await service.preview(connection, destination, "bob")).state == "planned"
