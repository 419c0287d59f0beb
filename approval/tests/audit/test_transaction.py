"""One person's transactions that wait for a lock leave the process its connections."""

import asyncio

import pytest
from sqlalchemy import text

from approval_api.audit import transaction
from approval_api.identity.roles import Role

REQUESTS = 24
"""More than the process has connections, and few enough to have had their turns after 3 s."""


async def a_set_of_criteria(ada, number):
    return await ada.ask("PUT", f"/dryrun/criteria/sets/c{number}", json={"false_positives_max": 0})


@pytest.mark.whole_pool
async def test_who_waits_for_a_lock_many_times_keeps_nobody_else_from_working(browsers, engine):
    ada, bob = await browsers("ada", Role.OPERATOR), await browsers("bob", Role.VIEWER)
    # The lock ends before the group waits for its tasks.
    async with asyncio.TaskGroup() as group, engine.begin() as connection:
        await connection.execute(text("LOCK gateway.criteria_sets IN ACCESS EXCLUSIVE MODE"))
        waiting = [group.create_task(a_set_of_criteria(ada, number)) for number in range(REQUESTS)]
        await asyncio.sleep(3.5)
        async with asyncio.timeout(2):
            assert (await bob.ask("GET", "/production/destinations")).status_code == 200
    assert {each.result().status_code for each in waiting} == {200}


@pytest.mark.whole_pool
async def test_three_who_wait_for_a_lock_together_leave_the_next_person_a_connection(browsers, engine):
    hostile = [await browsers(name, Role.OPERATOR) for name in ("ada", "bob", "eve")]
    carol = await browsers("carol", Role.VIEWER)
    # The lock ends before the group waits for its tasks.
    async with asyncio.TaskGroup() as group, engine.begin() as connection:
        await connection.execute(text("LOCK gateway.criteria_sets IN ACCESS EXCLUSIVE MODE"))
        waiting = [
            group.create_task(a_set_of_criteria(each, number)) for number in range(8) for each in hostile
        ]
        await asyncio.sleep(3.5)
        async with asyncio.timeout(2):
            assert (await carol.ask("GET", "/production/destinations")).status_code == 200
    assert {each.result().status_code for each in waiting} == {200}


@pytest.mark.whole_pool
async def test_who_waits_too_long_for_ones_own_is_told_to_come_again(browsers, engine, monkeypatch):
    monkeypatch.setattr(transaction, "WAIT_SECONDS", 0.2)
    ada = await browsers("ada", Role.OPERATOR)
    async with asyncio.TaskGroup() as group, engine.begin() as connection:
        await connection.execute(text("LOCK gateway.criteria_sets IN ACCESS EXCLUSIVE MODE"))
        waiting = [
            group.create_task(a_set_of_criteria(ada, number)) for number in range(transaction.AT_ONCE + 1)
        ]
        await asyncio.sleep(1.5)
    answers = sorted(each.result().status_code for each in waiting)
    assert answers == [200] * transaction.AT_ONCE + [429]


async def test_a_command_whose_commit_fails_has_its_line_all_the_same(browsers, engine):
    ada = await browsers("ada", Role.OPERATOR)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION gateway.fail() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = 'disk_full'; END $$"
            )
        )
        await connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON gateway.criteria_sets "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gateway.fail()"
            )
        )
    assert (await a_set_of_criteria(ada, 1)).status_code == 503
    async with engine.connect() as connection:
        lines = await connection.execute(
            text("SELECT actor, object, outcome FROM gateway.audit_log ORDER BY id DESC LIMIT 1")
        )
    assert lines.one() == ("ada", "c1", "failed")
