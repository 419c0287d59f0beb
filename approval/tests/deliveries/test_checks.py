"""A check of a destination: by the way that deliveries go, within a deadline, and nothing is kept there."""

import asyncio
from datetime import timedelta

import pytest
from fake_netbox import TOKEN, FakeNetBox
from made_deliveries import SECRET, add_destination
from receiver import answer, receiving
from sqlalchemy import text

from approval_api.deliveries import service
from approval_api.deliveries.sending import checks
from approval_api.deliveries.sending.checks import Checker
from approval_api.identity.roles import Role

DESTINATIONS = "/production/destinations"


async def check_of(engine, destination):
    async with engine.connect() as connection:
        return (await service._destination(connection, destination)).check


async def check_again(engine, destination):
    async with engine.begin() as connection:
        await service.check_destination(connection, destination)


async def test_a_new_destination_is_checked_by_the_process_that_delivers(engine, delivering):
    async with receiving(FakeNetBox()) as receiver:
        added = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="right")
        wrong = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="wrong")
        assert (await check_of(engine, added)).answered_at is None
        await delivering(receiver, right=TOKEN, wrong="0" * 40).checker.work_once()
        assert {seen.method for seen in receiver.received} == {"GET"}
        asked = len(receiver.received)
        await delivering(receiver, right=TOKEN, wrong="0" * 40).checker.work_once()
        assert len(receiver.received) == asked, "each is checked once"
    check = await check_of(engine, added)
    assert (check.passed, check.answer) == (True, "NetBox 4.3 lists addresses to this token")
    check = await check_of(engine, wrong)
    assert (check.passed, check.answer) == (False, 'HTTP 403: {"detail": "Invalid token"}')


@pytest.mark.parametrize(
    ("credential", "says"),
    [
        ("nobodys", "no credential 'nobodys'; see DELIVERY_CREDENTIALS"),
        ("token", "for another kind"),
        ("hook", "the host is listed and the secret is for it; only a delivery shows whether"),
    ],
)
async def test_a_webhook_is_checked_without_a_message(engine, delivering, credential, says):
    async with receiving() as receiver:
        hook = await add_destination(engine, kind="webhook", url=receiver.url(), credential=credential)
        await delivering(receiver, token=SECRET).checker.work_once()
        check = await check_of(engine, hook)
        assert (says in check.answer, check.passed) == (True, credential == "hook")
    assert receiver.connections == 0


async def test_what_is_not_listed_is_asked_nothing(engine, delivering):
    async with receiving() as receiver, receiving() as other:
        unlisted = await add_destination(engine, kind="netbox", url=other.url(""), credential="token")
        await delivering(receiver, at=other, token=TOKEN).checker.work_once()
        check = await check_of(engine, unlisted)
        assert (check.passed, "is not among the hosts that an administrator listed" in check.answer) == (
            False,
            True,
        )
    assert other.connections == 0


async def test_a_destination_that_never_answers_fails_its_check_in_time(engine, delivering):
    async def never(_):
        await asyncio.sleep(60)

    async with receiving(never) as receiver:
        silent = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="token")
        made = delivering(receiver, token=TOKEN, seconds=30)
        await Checker(made.engine, made.checker._make_sender, seconds=0.3).work_once()
    check = await check_of(engine, silent)
    assert (check.passed, check.answer) == (False, "no answer within 0.3 s")


async def test_a_check_of_a_killed_process_is_begun_again_within_seconds(engine, delivering, monkeypatch):
    """And not while its process lives, however long the destination takes."""
    monkeypatch.setattr(checks, "LEASE", timedelta(seconds=0.4))
    asked = asyncio.Queue()

    async def slow(seen):
        asked.put_nowait(seen)
        await asyncio.sleep(1)
        return answer(403)

    async with receiving(slow) as receiver:
        added = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="token")
        first, second = (delivering(receiver, token=TOKEN).checker for _ in range(2))
        living = asyncio.create_task(first.work_once())
        await asked.get()
        await asyncio.sleep(0.6)
        await second.work_once()
        assert asked.empty()
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        await asyncio.sleep(0.5)
        await second.work_once()
    assert (await check_of(engine, added)).answer == "HTTP 403"


async def test_a_check_goes_on_when_its_lease_cannot_be_renewed(engine, delivering, monkeypatch):
    monkeypatch.setattr(checks, "LEASE", timedelta(seconds=0.4))
    # Fails as a database does that is away: by an error of SQLAlchemy.
    monkeypatch.setattr(checks, "_RENEW", text("SELECT pg_terminate_backend(pg_backend_pid())"))
    asked = []

    async def slow(seen):
        asked.append(seen)
        await asyncio.sleep(0.5)
        return answer(403)

    async with receiving(slow) as receiver:
        added = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="token")
        await delivering(receiver, token=TOKEN).checker.work_once()
    assert (await check_of(engine, added)).answer == "HTTP 403"
    assert len(asked) == 1


async def test_a_destination_that_asked_to_be_left_alone_is_asked_nothing_until_then(engine, delivering):
    def busy(_):
        return answer(429, Retry_After="120")

    async with receiving(busy) as receiver:
        added = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="token")
        checker = delivering(receiver, token=TOKEN).checker
        await checker.work_once()
        asked, seen = len(receiver.received), await check_of(engine, added)
        await check_again(engine, added)
        await checker.work_once()
        assert (len(receiver.received), await check_of(engine, added)) == (asked, seen)
        async with engine.begin() as connection:
            rest = text("SELECT extract(epoch FROM not_before - now()) FROM gateway.destinations")
            assert float((await connection.execute(rest)).scalar_one()) == pytest.approx(120, abs=20)
            over = "UPDATE gateway.destinations SET check_lease_until = now()"
            await connection.execute(text(over))
        await check_again(engine, added)
        await checker.work_once()
        assert len(receiver.received) > asked
    assert (seen.passed, seen.answer.startswith("HTTP 429; it is to be left alone until 2")) == (False, True)


async def test_a_check_that_waited_for_minutes_is_left_alone_until_it_is_requested_again(engine, delivering):
    async with receiving(FakeNetBox()) as receiver:
        added = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="token")
        made = delivering(receiver, token=TOKEN)
        async with engine.begin() as connection:
            late = "UPDATE gateway.destinations SET check_requested_at = now() - interval '6 minutes'"
            await connection.execute(text(late))
        await made.checker.work_once()
        assert receiver.connections == 0
        await check_again(engine, added)
        await made.checker.work_once()
        assert (await check_of(engine, added)).passed is True


async def test_an_answer_to_an_earlier_check_is_none_to_a_later_one(engine, delivering):
    """The lease of the first ended; whoever requested the second may have corrected something."""

    async def meanwhile(_):
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE gateway.destinations SET check_lease_until = NULL"))
        await check_again(engine, added)
        return answer(403)

    async with receiving(meanwhile) as receiver:
        added = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="token")
        await delivering(receiver, token=TOKEN).checker.work_once()
    assert (await check_of(engine, added)).answered_at is None


async def test_a_failed_check_does_not_show_a_path_that_only_administrators_see(engine, delivering):
    async with receiving(lambda seen: answer(404, f"no {seen.target} here".encode())) as receiver:
        url = receiver.url("/hidden/")
        added = await add_destination(engine, kind="netbox", url=url, credential="token")
        await delivering(receiver, token=TOKEN).checker.work_once()
    said = (await check_of(engine, added)).answer
    assert said == "HTTP 404: it repeats what was sent, and is not shown"
    assert "hidden" not in said


async def test_a_check_under_way_is_not_requested_twice(engine):
    added = await add_destination(engine, kind="netbox", url="https://netbox.example.com", credential="x")
    before = await check_of(engine, added)
    async with engine.begin() as connection:
        lease = "UPDATE gateway.destinations SET check_lease_until = now() + interval '30 s'"
        await connection.execute(text(lease))
    await check_again(engine, added)
    assert await check_of(engine, added) == before


async def test_a_check_is_requested_by_the_api_and_not_of_a_file(browsers, engine):
    ada = await browsers("ada", Role.ADMIN)
    hook = {"name": "cmdb", "kind": "webhook", "url": "https://hooks.example.com/x", "credential": "hook"}
    made = (await ada.ask("POST", DESTINATIONS, json=hook)).json()
    assert (made["check"]["passed"], made["check"]["answer"]) == (None, None)
    again = await ada.ask("POST", f"{DESTINATIONS}/{made['id']}/check")
    assert (again.status_code, again.json()["check"]["requested_at"] > made["check"]["requested_at"]) == (
        202,
        True,
    )
    for role in (Role.APPROVER, Role.OPERATOR, Role.VIEWER):
        dan = await browsers(f"dan-{role.value}", role)
        refused = await dan.ask("POST", f"{DESTINATIONS}/{made['id']}/check")
        assert (refused.status_code, "'administer'" in refused.json()["detail"]) == (403, True)
    made = (await ada.ask("POST", DESTINATIONS, json={"name": "file", "kind": "csv"})).json()
    assert made["check"] is None
    refused = await ada.ask("POST", f"{DESTINATIONS}/{made['id']}/check")
    assert (refused.status_code, "is a file" in refused.json()["detail"]) == (409, True)
