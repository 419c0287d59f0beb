"""NetBox has one object for what several collectors found; it says what is true of all of them."""

import pytest
from fake_netbox import TOKEN, FakeNetBox
from made_deliveries import add_destination, approve, approve_discoveries, items_of, preview, show
from receiver import receiving
from sqlalchemy import text

HOST = ("host", "192.0.2.7", "{}")
SSH = ("service", "192.0.2.7:22/tcp", '{"product": "OpenSSH", "version": "9.2"}')

_SECOND = text("""
INSERT INTO gateway.discoveries (collector, kind, key, data, confidence, status, decided_as, decided_by,
    decided_at, note)
SELECT 'second', kind, key, CAST(:data AS jsonb), 1, status, decided_as, decided_by, decided_at, ''
FROM gateway.discoveries WHERE kind = :kind
""")


class Story:
    """Two collectors, and what NetBox has of what they found."""

    def __init__(self, engine, netbox, process):
        self.engine, self.netbox, self.process = engine, netbox, process

    async def find_too(self, data="{}", kind="host"):
        async with self.engine.begin() as connection:
            await connection.execute(_SECOND, {"data": data, "kind": kind})

    async def let(self, collector, change):
        async with self.engine.begin() as connection:
            update = f"UPDATE gateway.discoveries SET {change} WHERE collector = :collector"
            await connection.execute(text(update), {"collector": collector})

    async def go(self, *collectors):
        """Let it be gone for these, and somebody approve that."""
        for collector in collectors:
            await self.let(collector, "gone_at = now(), change = 'gone', revision = revision + 1")

    async def come_back(self, collector):
        await self.let(collector, "gone_at = NULL, change = 'returned', revision = revision + 1")

    async def preview(self):
        delivery = (await preview(self.engine, self.destination)).id
        await self.process.work()
        return delivery

    async def send(self, delivery):
        await approve(self.engine, delivery)
        await self.process.work()
        assert (await show(self.engine, delivery)).state == "done"
        return [(item.action, item.answer) for item in await items_of(self.engine, delivery)]

    async def deliver(self):
        return await self.send(await self.preview())

    @property
    def status(self):
        (address,) = self.netbox.addresses.values()
        status = address["status"]
        return status["value"] if isinstance(status, dict) else status

    @property
    def description(self):
        (address,) = self.netbox.addresses.values()
        return address["description"]


@pytest.fixture
async def story(engine, delivering):
    netbox = FakeNetBox()
    async with receiving(netbox) as receiver:
        netbox.base = receiver.url("")
        story = Story(engine, netbox, delivering(receiver, netbox=TOKEN))
        await approve_discoveries(engine, HOST)
        story.destination = await add_destination(engine, kind="netbox", url=netbox.base, credential="netbox")
        yield story


LEFT = ("leave", "another collector still finds it")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("moment", ["looked at", "approved", "sent"])
async def test_what_another_finds_before_a_removal_is_sent_is_not_marked_as_gone(story, moment, known):
    if known:
        await story.find_too()
    await story.deliver()
    await story.go("network", "second")

    async def find():
        if not known:
            await story.find_too()
        await story.come_back("second")

    delivery = (await preview(story.engine, story.destination)).id
    if moment == "looked at":
        await find()
    await story.process.work()
    if moment == "approved":
        await find()
    await approve(story.engine, delivery)
    if moment == "sent":
        await find()
    await story.process.work()
    found = {item.answer for item in await items_of(story.engine, delivery)}
    assert LEFT[1] in found
    assert (story.status, "gone" in story.description) == ("active", False)
    # What it is for the other one is looked at there, and true.
    await story.deliver()
    assert story.status == "active"
    await story.go("second")
    assert await story.deliver() == [("remove", "HTTP 200, marked as gone")]
    assert story.status == "deprecated"


async def test_what_changed_since_it_was_approved_is_still_found(story):
    await story.find_too()
    await story.deliver()
    await story.let("second", "status = 'pending', change = 'changed', revision = revision + 1")
    await story.go("network")
    assert await story.deliver() == [LEFT]
    assert story.status == "active"


@pytest.mark.parametrize(
    "decided", ["status = 'rejected', decided_as = 'rejected'", "status = 'pending', decided_as = NULL"]
)
async def test_what_is_approved_again_as_it_was_is_looked_at_once_it_was_marked_as_gone(story, decided):
    """Its revision and its data are what the destination has been sent."""
    await story.find_too()
    await story.deliver()
    await story.let("second", decided)
    await story.go("network")
    assert await story.deliver() == [("remove", "HTTP 200, marked as gone")]
    await story.let("second", "status = 'approved', decided_as = 'approved'")
    assert await story.deliver() == [("change", "HTTP 200")]
    assert (story.status, story.description) == ("active", "Discovered: host (second)")


async def test_what_was_left_to_another_is_marked_as_gone_with_that_one_though_it_was_never_delivered(story):
    await story.deliver()
    await story.find_too()
    await story.go("network")
    delivery = await story.preview()
    # Withdrawn, as it changed since the preview.
    await story.let("second", "revision = revision + 1")
    assert LEFT in await story.send(delivery)
    await story.go("second")
    assert await story.deliver() == [("remove", "HTTP 200, marked as gone")]
    assert story.status == "deprecated"


async def test_who_names_no_product_leaves_the_name_that_another_gave(story):
    await story.deliver()
    story.netbox.assign("192.0.2.7", 7)
    await approve_discoveries(story.engine, SSH)
    await story.find_too(kind="service")
    await story.deliver()
    (service,) = story.netbox.services.values()
    named = (service["name"], service["description"])
    assert named == ("OpenSSH", "Discovered: OpenSSH 9.2 (network)")
    await story.find_too(kind="host")
    await story.deliver()
    assert story.description == "Discovered: host (network)"
    # Whoever gave the name may take it back.
    await approve_discoveries(story.engine, (SSH[0], SSH[1], "{}"))
    await story.deliver()
    assert service["description"] == "Discovered: unknown service (network)"


async def test_who_names_another_product_gives_the_name(story):
    await story.deliver()
    story.netbox.assign("192.0.2.7", 7)
    await approve_discoveries(story.engine, (SSH[0], SSH[1], "{}"))
    await story.find_too('{"product": "Dropbear"}', kind="service")
    await story.deliver()
    (service,) = story.netbox.services.values()
    assert service["name"] == "Dropbear"
