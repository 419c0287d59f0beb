"""Transactions leave the process its connections: those that wait for a lock, and none waits for others."""

import ast
import asyncio
import re
from pathlib import Path

import pytest
from sqlalchemy import text

import approval_api
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


OPEN_TRANSACTIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
)


@pytest.mark.parametrize(
    ("method", "path", "form", "status"),
    [
        ("POST", "/api/v1/dryrun/badges", None, 201),
        ("POST", "/dryrun/badges", {"template": "small"}, 303),
        ("GET", "/dryrun/experiments", None, 200),
        ("GET", "/dryrun/schedules", None, 200),
        ("GET", "/dryrun/templates", None, 200),
    ],
)
async def test_no_transaction_is_open_while_the_orchestrator_is_asked(
    browsers, engine, orchestrator, eventually, method, path, form, status
):
    admin = await browsers("grace", Role.ADMIN)
    asked = []

    async def nobody_holds_one():
        async with engine.connect() as connection:
            return await connection.scalar(OPEN_TRANSACTIONS) == 0

    async def look():
        # Whatever else the service does is over in a moment.
        try:
            await eventually(nobody_holds_one, seconds=2)
        except TimeoutError:
            asked.append("a transaction is open")
        else:
            asked.append("none is open")

    orchestrator.while_templates_are_asked = look
    body = {"data": {**form, "csrf_token": admin.csrf}} if form else {}
    if method == "POST" and not form:
        body = {"json": {"template": "small"}, "headers": {"X-CSRF-Token": admin.csrf}}
    answer = await admin.client.request(method, path, **body)
    assert (answer.status_code, asked) == (status, ["none is open"])


HOLDS = {"begin", "connect"}
WAITS = re.compile(
    r"(?:\b|_)(?:orchestrator|worker|sender|client|http|smtp|openid|passwords|reports)\b"
    r"|state\.(?:schedules|experiments|checks)\b"
)
"""What asks another process, or takes a connection of its own."""


def held(tree):
    """Yield what runs while a connection is held: routes with a transaction, and blocks that open one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            if any(
                isinstance(each.annotation, ast.Name) and each.annotation.id == "Transaction"
                for each in (*node.args.args, *node.args.kwonlyargs)
            ):
                yield from node.body
        elif isinstance(node, ast.AsyncWith) and any(
            isinstance(call := item.context_expr, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in HOLDS
            and not call.args
            for item in node.items
        ):
            yield from node.body


def waits(node):
    """Return whether something is awaited of what keeps a caller waiting."""
    return any(
        WAITS.search(ast.unparse(awaited)) for awaited in ast.walk(node) if isinstance(awaited, ast.Await)
    )


def test_nothing_that_keeps_a_caller_waiting_is_awaited_while_a_connection_is_held():
    package = Path(approval_api.__file__).parent
    found = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        for node in held(ast.parse(path.read_text()))
        if waits(node)
    ]
    assert found == []
