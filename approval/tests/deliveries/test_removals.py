"""Removals go to where the discovery was delivered, once somebody approved them; nothing is deleted there."""

import asyncio
import json
from datetime import timedelta

import pytest
from fake_netbox import TOKEN, FakeNetBox
from made_deliveries import (
    add_destination,
    approve,
    approve_discoveries,
    items_of,
    preview,
    set_status,
    show,
)
from receiver import answer, receiving
from sqlalchemy import text

from approval_api.deliveries import preview as deliveries_preview
from approval_api.deliveries import repository
from approval_api.deliveries.files import WRITERS, page
from approval_api.retention.pruning import prune
from approval_api.settings import RetentionPolicy
from approval_api.web.problems import ProblemError

HOST = ("host", "192.0.2.7", "{}")
SERVICE = ("service", "192.0.2.7:5432/tcp", '{"product": "PostgreSQL", "version": "17"}')


async def go(engine, *keys, status="approved"):
    """Let discoveries be gone after some scans, and decide on that."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.discoveries SET gone_at = '2026-11-20 10:00+00', change = 'gone', "
                "status = :status, revision = revision + 1 WHERE key = ANY(:keys)"
            ),
            {"keys": list(keys), "status": status},
        )


async def come_back(engine, key):
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.discoveries SET gone_at = NULL, change = 'returned', "
                "revision = revision + 1 WHERE key = :key"
            ),
            {"key": key},
        )


async def delivered(engine, destination, process):
    """Preview, approve and send all that there is; return the delivery's items."""
    delivery = (await preview(engine, destination)).id
    await process.work()
    await approve(engine, delivery)
    await process.work()
    assert (await show(engine, delivery)).state == "done"
    return await items_of(engine, delivery)


async def service_in_netbox(engine, netbox, delivering):
    """Deliver a host, and a service on it; return what sends, and the destination."""
    process = delivering(netbox.receiver, netbox=TOKEN)
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="netbox", url=netbox.base, credential="netbox")
    await delivered(engine, destination, process)
    netbox.assign(HOST[1], 7)
    await approve_discoveries(engine, SERVICE)
    await delivered(engine, destination, process)
    return process, destination


async def is_nothing(engine, destination):
    with pytest.raises(ProblemError, match="has every approved discovery"):
        await preview(engine, destination)


async def holders(engine, key):
    async with engine.connect() as connection:
        found = await connection.scalar(
            text("SELECT id FROM gateway.discoveries WHERE key = :key"), {"key": key}
        )
        return await repository.holders(connection, found)


async def test_a_webhook_receives_each_removal_once_services_before_their_host(engine, delivering):
    async with receiving(lambda _: answer(200)) as receiver:
        process = delivering(receiver)
        await approve_discoveries(engine, HOST, SERVICE)
        hook = await add_destination(engine, kind="webhook", url=receiver.url(), credential="hook")
        await delivered(engine, hook, process)
        await go(engine, HOST[1], SERVICE[1], status="pending")
        await is_nothing(engine, hook)  # nobody approved it yet
        await set_status(engine, HOST[1], "approved")
        await set_status(engine, SERVICE[1], "approved")
        assert await holders(engine, HOST[1])
        receiver.received.clear()
        items = await delivered(engine, hook, process)
        assert [(each.action, each.key) for each in items] == [("remove", SERVICE[1]), ("remove", HOST[1])]
        messages = [seen.json for seen in receiver.received]
        assert [each["type"] for each in messages] == ["discovery.removed"] * 2
        assert messages[0]["data"]["gone_at"].startswith("2026-11-20T10:00:00")
        await is_nothing(engine, hook)
        assert await holders(engine, HOST[1]) == []
        # What returns is there anew.
        await come_back(engine, HOST[1])
        (item,) = await delivered(engine, hook, process)
        assert item.action == "create"


async def test_a_destination_that_never_had_it_is_sent_no_removal(engine, delivering):
    await approve_discoveries(engine, HOST)
    await go(engine, HOST[1])
    await is_nothing(engine, await add_destination(engine, kind="ndjson"))


@pytest.mark.parametrize("before_approval", [True, False])
async def test_what_returns_before_it_is_sent_is_not_removed(engine, delivering, before_approval):
    async with receiving(lambda _: answer(200)) as receiver:
        process = delivering(receiver)
        await approve_discoveries(engine, HOST)
        hook = await add_destination(engine, kind="webhook", url=receiver.url(), credential="hook")
        await delivered(engine, hook, process)
        await go(engine, HOST[1])
        delivery = (await preview(engine, hook)).id
        assert (await show(engine, delivery)).counts.remove == 1
        receiver.received.clear()
        if before_approval:
            await come_back(engine, HOST[1])
        await approve(engine, delivery)
        if not before_approval:
            await come_back(engine, HOST[1])
        await process.work()
        assert receiver.received == []
        assert (await show(engine, delivery)).counts.withdrawn == 1
        assert await holders(engine, HOST[1])


@pytest.mark.parametrize("form", ["ndjson", "csv"])
async def test_a_file_has_a_row_for_what_is_gone(engine, form):
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind=form)
    await approve(engine, (await preview(engine, destination)).id)
    await go(engine, HOST[1])
    delivery = (await preview(engine, destination)).id
    await approve(engine, delivery)
    async with engine.connect() as connection:
        ((_, action, content),), more = await page(connection, delivery, 0)
    assert (action, more) == ("remove", False)
    written = WRITERS[form]().add(action, content)
    if form == "ndjson":
        assert json.loads(written)["action"] == "remove"
    else:
        assert written.splitlines()[1].startswith('"remove","host","192.0.2.7"')
    await is_nothing(engine, destination)


async def pruned(engine):
    """Remove what has been gone for a day; return how many."""
    removed = await prune(engine, RetentionPolicy(discoveries=timedelta(days=1)))
    return removed["discoveries"]


@pytest.mark.parametrize("kind", ["ndjson", "servicenow"])
async def test_what_is_gone_stays_here_until_every_destination_has_its_removal(engine, kind):
    await approve_discoveries(engine, HOST)
    destinations = [await add_destination(engine, kind=each) for each in (kind, "csv")]
    for each in destinations:
        await approve(engine, (await preview(engine, each)).id)
    await go(engine, HOST[1])
    waits = destinations if kind == "ndjson" else destinations[1:]
    for each in waits:
        assert await pruned(engine) == 0
        delivery = (await preview(engine, each)).id
        assert await pruned(engine) == 0, "it is previewed, and nothing was sent yet"
        await approve(engine, delivery)
    assert await pruned(engine) == 1
    async with engine.connect() as connection:
        # A file is fetched later.
        ((_, action, content),), _ = await page(connection, delivery, 0)
        left = await connection.scalar(text("SELECT count(*) FROM gateway.delivered"))
    assert (action, content["key"], left) == ("remove", HOST[1], 0)


async def test_what_is_at_a_destination_that_was_removed_is_kept_for_nobody(engine):
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="csv")
    await approve(engine, (await preview(engine, destination)).id)
    await go(engine, HOST[1])
    assert await pruned(engine) == 0
    async with engine.begin() as connection:
        await repository.remove_destination(connection, destination)
    assert await pruned(engine) == 1


async def test_servicenow_has_no_place_for_what_is_gone(engine):
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="servicenow")
    await approve(engine, (await preview(engine, destination)).id)
    await go(engine, HOST[1])
    await is_nothing(engine, destination)


@pytest.fixture
async def netbox():
    netbox = FakeNetBox()
    async with receiving(netbox) as receiver:
        netbox.receiver, netbox.base = receiver, receiver.url("")
        yield netbox


async def test_netbox_marks_what_is_gone_and_deletes_nothing(engine, netbox, delivering):
    process = delivering(netbox.receiver, netbox=TOKEN)
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="netbox", url=netbox.base, credential="netbox")
    await delivered(engine, destination, process)
    await go(engine, HOST[1])
    delivery = (await preview(engine, destination)).id
    await process.work()
    (item,) = await items_of(engine, delivery)
    assert (item.action, item.answer) == ("remove", "would be marked as gone: description, status")
    assert [method for method, _ in netbox.writes] == ["POST"], "a preview changed something"
    await approve(engine, delivery)
    await process.work()
    (address,) = netbox.addresses.values()
    assert status_of(address) == "deprecated"
    assert address["description"] == "Discovered: gone since 2026-11-20, was host (network)"
    assert [method for method, _ in netbox.writes] == ["POST", "PATCH"]
    await come_back(engine, HOST[1])
    (item,) = await delivered(engine, destination, process)
    assert (item.action, status_of(address)) == ("change", "active")
    assert "gone" not in address["description"]


async def test_what_people_entered_there_stays_as_it_is(engine, netbox, delivering):
    process = delivering(netbox.receiver, netbox=TOKEN)
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="netbox", url=netbox.base, credential="netbox")
    await delivered(engine, destination, process)
    (address,) = netbox.addresses.values()
    address["description"] = "the printer of the third floor"
    netbox.writes.clear()
    await go(engine, HOST[1])
    (item,) = await delivered(engine, destination, process)
    assert (item.action, netbox.writes) == ("leave", [])
    assert "people entered it" in item.answer
    await is_nothing(engine, destination)


@pytest.mark.parametrize("version", ["4.3", "4.7", "5.0"])
async def test_a_service_to_which_people_added_a_port_is_left_as_it_is(engine, netbox, delivering, version):
    """Its other port is still there when ours is gone, and has a name of its own."""
    netbox.version = version
    process, destination = await service_in_netbox(engine, netbox, delivering)
    (made,) = netbox.services.values()
    made["_mappings"] = ["tcp/5432", "tcp/8080"]
    made |= {"ports": [5432, 8080]} if version == "4.3" else {"port_mappings": made["_mappings"]}
    before = dict(made)
    await approve_discoveries(engine, ("service", "192.0.2.7:8080/tcp", '{"product": "nginx"}'))
    (item,) = await delivered(engine, destination, process)
    assert (item.action, "people added ports" in item.answer) == ("leave", True)
    await go(engine, SERVICE[1])
    (item,) = await delivered(engine, destination, process)
    assert (item.action, "remove this port there" in item.answer) == ("leave", True)
    assert made == before


async def test_a_service_is_no_longer_called_gone_when_it_returns_to_one_that_people_extended(
    engine, netbox, delivering
):
    process, destination = await service_in_netbox(engine, netbox, delivering)
    await go(engine, SERVICE[1])
    await delivered(engine, destination, process)
    (made,) = netbox.services.values()
    called = made["description"]
    assert called == "Discovered: gone since 2026-11-20, was PostgreSQL (network)"
    made |= {"_mappings": ["tcp/5432", "tcp/8080"], "ports": [5432, 8080]}
    name = made["name"] = "database of the shop"
    await approve_discoveries(engine, ("service", "192.0.2.7:8080/tcp", '{"product": "nginx"}'))
    (item,) = await delivered(engine, destination, process)
    assert (item.action, made["description"]) == ("leave", called), "the other port is no answer to that"
    await come_back(engine, SERVICE[1])
    (item,) = await delivered(engine, destination, process)
    assert (item.action, made["name"]) == ("change", name)
    assert made["description"] == "Discovered: PostgreSQL 17 (network)"


async def test_what_another_collector_still_finds_stays_in_netbox_until_that_is_gone(
    engine, netbox, delivering
):
    """NetBox has one address for both."""
    process = delivering(netbox.receiver, netbox=TOKEN)
    await approve_discoveries(engine, HOST, SERVICE)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.discoveries (collector, kind, key, data, confidence, status, "
                "decided_as, decided_by, decided_at, note) SELECT 'second', kind, key, data, 1, status, "
                "decided_as, decided_by, decided_at, '' FROM gateway.discoveries WHERE kind = 'host'"
            )
        )
    destination = await add_destination(
        engine, kind="netbox", url=netbox.base, credential="netbox", kinds=["host"]
    )
    await delivered(engine, destination, process)
    gone = (
        "UPDATE gateway.discoveries SET gone_at = now(), change = 'gone', revision = revision + 1 "
        "WHERE collector = :collector AND kind = 'host'"
    )
    for collector, action, status in (("network", "leave", "active"), ("second", "remove", "deprecated")):
        async with engine.begin() as connection:
            await connection.execute(text(gone), {"collector": collector})
        (item,) = await delivered(engine, destination, process)
        (address,) = netbox.addresses.values()
        assert (item.action, status_of(address)) == (action, status)
        assert (item.answer == "another collector still finds it") is (action == "leave")
        await is_nothing(engine, destination)


async def test_removals_that_do_not_fit_come_with_the_next_delivery_and_that_is_said(engine, monkeypatch):
    monkeypatch.setattr(deliveries_preview, "MOST_ITEMS", 3)
    hosts = [f"192.0.2.{n}" for n in range(3)]
    await approve_discoveries(engine, *(("host", key, "{}") for key in hosts))
    destination = await add_destination(engine, kind="ndjson")
    await approve(engine, (await preview(engine, destination)).id)
    await go(engine, *hosts)
    await approve_discoveries(engine, SERVICE)
    shown = await preview(engine, destination)
    assert (shown.counts.create, shown.counts.remove, shown.more) == (1, 2, True)
    await approve(engine, shown.id)
    shown = await preview(engine, destination)
    assert (shown.counts.remove, shown.more) == (1, False)


@pytest.mark.parametrize(("fit", "more"), [(4, False), (3, False), (2, True)])
async def test_a_delivery_of_just_as_much_as_fits_leaves_nothing_for_the_next(engine, monkeypatch, fit, more):
    monkeypatch.setattr(deliveries_preview, "MOST_ITEMS", fit)
    await approve_discoveries(engine, *(("host", f"192.0.2.{n}", "{}") for n in range(3)))
    shown = await preview(engine, await add_destination(engine, kind="ndjson"))
    assert (shown.counts.create, shown.more) == (min(fit, 3), more)


def status_of(address):
    status = address["status"]
    return status["value"] if isinstance(status, dict) else status


async def test_two_previews_at_once_list_a_removal_once(engine, delivering):
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="ndjson")
    await approve(engine, (await preview(engine, destination)).id)
    await go(engine, HOST[1])
    found = await asyncio.gather(*(preview(engine, destination) for _ in range(2)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in found) == ["DeliveryView", "ProblemError"]
