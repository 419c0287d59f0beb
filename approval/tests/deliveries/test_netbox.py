"""NetBox: looked at before the preview, created once, other people's objects left alone."""

import asyncio
import os
import random

import pynetbox
import pytest
from fake_netbox import TOKEN, FakeNetBox
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

from approval_api.deliveries import service
from approval_api.web.problems import ProblemError

MANY = int(os.environ.get("DRYRUN_DELIVERIES", "40"))
"""`make nightly` delivers 1,000."""
HOST = ("host", "192.0.2.1", "{}")
SSH = ("service", "192.0.2.1:22/tcp", '{"product": "OpenSSH", "version": "9.2"}')


@pytest.fixture
async def netbox():
    fake = FakeNetBox()
    async with receiving(fake) as receiver:
        fake.base = receiver.url("").rstrip("/")
        fake.receiver = receiver
        yield fake


async def prepared(engine, netbox, process, *rows):
    await approve_discoveries(engine, *rows)
    destination = await add_destination(engine, kind="netbox", url=netbox.base, credential="netbox")
    delivery = await preview(engine, destination)
    assert delivery.state == "checking"
    await process.work()
    return await show(engine, delivery.id)


@pytest.mark.parametrize("version", ["4.2", "4.3", "4.7"])
async def test_the_fake_is_what_pynetbox_expects_of_netbox(netbox, version):
    netbox.version = version

    def converse():
        api = pynetbox.api(netbox.base, token=TOKEN)
        api.http_session.trust_env = False
        assert api.version == version
        made = api.ipam.ip_addresses.create(address="192.0.2.1/32", status="active", description="x")
        found = api.ipam.ip_addresses.get(address="192.0.2.1")
        assert (found.id, found.status.value, str(found)) == (made.id, "active", "192.0.2.1/32")
        assert found.update({"description": "y"})
        assert [each.description for each in api.ipam.ip_addresses.all()] == ["y"]
        with pytest.raises(pynetbox.RequestError, match="Duplicate"):
            api.ipam.ip_addresses.create(address="192.0.2.1/24")
        parent = (
            {"parent_object_type": "dcim.device", "parent_object_id": 7}
            if version != "4.2"
            else {"device": 7}
        )
        ports = {"port_mappings": ["tcp/22"]} if version == "4.7" else {"ports": [22], "protocol": "tcp"}
        api.ipam.services.create(name="ssh", ipaddresses=[made.id], description="", **ports, **parent)
        assert api.ipam.services.get(device_id=7, port=22, protocol="tcp").name == "ssh"
        assert api.ipam.services.get(device_id=8) is None
        with pytest.raises(pynetbox.RequestError, match="required"):
            api.ipam.services.create(name="ssh")
        api.http_session.close()

    await asyncio.to_thread(converse)


async def test_a_preview_asks_netbox_and_changes_nothing_there(engine, netbox, delivering):
    process = delivering(netbox.receiver, netbox=TOKEN)
    view = await prepared(
        engine,
        netbox,
        process,
        HOST,
        SSH,
        ("host", "[2001:db8::1]", "{}"),
        ("table", "192.0.2.1:5432/tcp/a/b", "{}"),
        ("host", "name.example", "{}"),
    )
    assert view.state == "planned"
    assert (view.counts.create, view.counts.leave, view.counts.dead) == (4, 1, 2)
    found = {item.key: item.answer for item in await items_of(engine, view.id)}
    assert "deliver the host first" in found["192.0.2.1:22/tcp"]
    assert "is a name" in found["name.example"]
    assert netbox.writes == []


@pytest.mark.parametrize(
    ("version", "kind"),
    [("4.2", "device"), ("4.3", "virtual_machine"), ("4.7", "device"), ("5.0", "device")],
)
async def test_hosts_and_services_are_created_changed_and_left_alone(
    engine, netbox, delivering, version, kind
):
    netbox.version = version
    process = delivering(netbox.receiver, netbox=TOKEN)
    first = await prepared(engine, netbox, process, HOST)
    assert (await approve(engine, first.id)).state == "sending"
    await process.work()
    (item,) = await items_of(engine, first.id)
    assert (item.state, item.answer) == ("delivered", "HTTP 201")
    assert item.reference == f"{netbox.base}/api/ipam/ip-addresses/1/"
    netbox.assign("192.0.2.1", 7, kind)
    await approve_discoveries(engine, SSH)
    second = await preview(engine, first.destination_id)
    await process.work()
    await approve(engine, second.id)
    await process.work()
    (made,) = netbox.services.values()
    assert (made["name"], made[kind]["id"], made["_mappings"]) == ("OpenSSH", 7, ["tcp/22"])
    assert made["description"] == "Discovered: OpenSSH 9.2 (network)"
    await approve_discoveries(engine, ("service", SSH[1], '{"product": "OpenSSH", "version": "10.0"}'))
    third = await preview(engine, first.destination_id)
    await process.work()
    assert [(item.action, item.answer) for item in await items_of(engine, third.id)] == [
        ("change", "would change: description")
    ]
    await approve(engine, third.id)
    await process.work()
    assert made["description"] == "Discovered: OpenSSH 10.0 (network)"
    assert netbox.writes == [("POST", "ip-addresses"), ("POST", "services"), ("PATCH", "services")]
    with pytest.raises(ProblemError, match="as it is"):
        await preview(engine, first.destination_id)


async def test_an_ipv4_address_that_is_written_as_ipv6_is_delivered_as_ipv4(engine, netbox, delivering):
    process = delivering(netbox.receiver, netbox=TOKEN)
    view = await prepared(engine, netbox, process, ("host", "[::ffff:192.0.2.1]", "{}"))
    await approve(engine, view.id)
    await process.work()
    assert [each["address"] for each in netbox.addresses.values()] == ["192.0.2.1/32"]


async def test_what_people_entered_there_is_not_changed(engine, netbox, delivering):
    process = delivering(netbox.receiver, netbox=TOKEN)
    fault, made = netbox._made_address({"address": "192.0.2.1/24", "description": "the print server"})
    assert not fault
    netbox.addresses[1] = {"id": 1, "url": f"{netbox.base}/api/ipam/ip-addresses/1/", **made}
    view = await prepared(engine, netbox, process, HOST)
    assert (view.counts.create, view.counts.leave) == (0, 1)
    assert (await approve(engine, view.id)).state == "done"
    await process.work()
    assert netbox.writes == []
    assert netbox.addresses[1]["description"] == "the print server"


async def test_what_could_not_be_looked_at_is_left_out_unless_another_look_succeeds(
    engine, netbox, delivering
):
    process = delivering(netbox.receiver, netbox=TOKEN)
    first = await prepared(engine, netbox, process, HOST)
    await approve(engine, first.id)
    await process.work()
    await approve_discoveries(engine, SSH)
    second = await preview(engine, first.destination_id)
    await process.work()
    (item,) = await items_of(engine, second.id)
    assert (item.state, "assigned to none" in item.answer) == ("dead", True)
    assert (await approve(engine, second.id)).state == "done"
    async with engine.begin() as connection:
        await service.resend(connection, second.id)
    await process.work()
    assert netbox.services == {}
    netbox.assign("192.0.2.1", 7)
    third = await preview(engine, first.destination_id)
    await process.work()
    await approve(engine, third.id)
    await process.work()
    assert (await show(engine, third.id)).state == "done"
    assert len(netbox.services) == 1


@pytest.mark.parametrize("version", ["", "4", "4.7.1", "9" * 5000 + ".1"])
async def test_what_names_no_version_of_netbox_is_refused(engine, netbox, delivering, version):
    process = delivering(netbox.receiver, netbox=TOKEN)
    first = await prepared(engine, netbox, process, HOST)
    await approve(engine, first.id)
    await process.work()
    netbox.assign("192.0.2.1", 7)
    netbox.version = version
    await approve_discoveries(engine, SSH)
    second = await preview(engine, first.destination_id)
    await process.work()
    (item,) = await items_of(engine, second.id)
    assert (item.state, "names no API-Version" in item.answer) == ("dead", True)


async def test_another_look_may_succeed_before_the_approval(engine, netbox, delivering):
    process = delivering(netbox.receiver, netbox=TOKEN)
    netbox.receiver.behaviour = lambda _: answer(403)
    view = await prepared(engine, netbox, process, HOST)
    assert view.counts.dead == 1
    netbox.receiver.behaviour = netbox
    async with engine.begin() as connection:
        assert (await service.resend(connection, view.id)).state == "checking"
    await process.work()
    assert (await show(engine, view.id)).counts.planned == 1


@pytest.mark.parametrize("seed", range(2))
async def test_lost_answers_create_nothing_twice(engine, netbox, delivering, seed):
    """NetBox has no idempotency keys: the look before each creation stands in for them."""
    chance = random.Random(seed)

    def faulty(seen):
        fault = chance.choice(["none", "none", "none", "none", "429", "500", "reset", "lost", "lost"])
        if fault in {"429", "500", "reset"}:
            return RESET if fault == "reset" else answer(int(fault))
        said = netbox(seen)
        return RESET if fault == "lost" and seen.method != "GET" else said

    process = delivering(netbox.receiver, netbox=TOKEN)
    netbox.receiver.behaviour = faulty
    rows = [("host", f"198.51.{n // 250}.{n % 250}", "{}") for n in range(MANY)]
    await approve_discoveries(engine, *rows)
    destination = await add_destination(engine, kind="netbox", url=netbox.base, credential="netbox")
    delivery = (await preview(engine, destination)).id
    for _ in range(20 + MANY):
        await process.work()
        view = await show(engine, delivery)
        if view.state == "planned":
            view = await approve(engine, delivery)
        if view.state == "done":
            break
        if view.counts.dead:
            async with engine.begin() as connection:
                await service.resend(connection, delivery)
        await make_everything_due(engine)
    assert (view.state, view.counts.delivered) == ("done", MANY)
    found = sorted(each["address"] for each in netbox.addresses.values())
    assert found == sorted(f"{key}/32" for _, key, _ in rows)
