"""Turns: a person's requests wait for each other, and for nobody else's."""

import asyncio
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from approval_api.access import turns
from approval_api.access.permission import Requires
from approval_api.access.turns import AT_ONCE
from approval_api.app import create_app
from approval_api.audit.transaction import Transaction

BLOCKED = "/api/v1/dryrun/sessions"
OTHER = "/api/v1/production/discoveries"
BOB = {"Authorization": "Bearer another-token-of-the-tests"}

pytestmark = pytest.mark.whole_pool


@pytest.fixture
def held_long(monkeypatch):
    """Let a turn be held until the answer, so that its end is seen."""
    monkeypatch.setattr(turns, "HELD_SECONDS", 60)


@pytest.fixture
async def blocked(api, engine):
    """Give a number of requests of Ada's that cannot be answered inside of the block."""

    @asynccontextmanager
    async def block(number):
        async with asyncio.TaskGroup() as group, engine.begin() as connection:
            await connection.execute(text("LOCK TABLE gateway.dryrun_sessions IN ACCESS EXCLUSIVE MODE"))
            asked = [group.create_task(api.client.get(BLOCKED)) for _ in range(number)]
            await asyncio.sleep(0.3)
            yield asked
        assert {answer.result().status_code for answer in asked} == {200}

    return block


@pytest.mark.usefixtures("held_long")
async def test_one_more_waits_for_the_same_persons_and_nobody_elses(api, blocked, eventually):
    async with blocked(4 * AT_ONCE) as asked:
        waiting = asyncio.create_task(api.client.get(OTHER))
        for _ in range(3):
            assert (await api.client.get(OTHER, headers=BOB)).status_code == 200
        assert not waiting.done()
        assert not any(answer.done() for answer in asked)
    assert (await waiting).status_code == 200

    async def nobody_in_line():
        return not len(api.app.state.turns)

    await eventually(nobody_in_line)


@pytest.mark.usefixtures("held_long")
async def test_as_many_as_a_person_has_turns_are_answered_at_the_same_time(api, blocked):
    async with blocked(AT_ONCE - 1):
        assert (await api.client.get(OTHER)).status_code == 200


@pytest.mark.usefixtures("held_long")
async def test_waiting_for_a_turn_has_an_end(api, blocked, monkeypatch):
    async with blocked(AT_ONCE):
        monkeypatch.setattr(turns, "WAIT_SECONDS", 0.1)
        refused = await api.client.get(OTHER)
        assert (refused.status_code, refused.json()["type"]) == (
            429,
            "urn:dryrun:problem:too-many-requests",
        )
        assert int(refused.headers["retry-after"]) > 0
    assert (await api.client.get(OTHER)).status_code == 200


async def test_an_answer_that_waits_for_others_holds_its_turn_for_a_moment(api, blocked):
    async with blocked(AT_ONCE) as asked:
        async with asyncio.timeout(5):
            assert (await api.client.get(OTHER)).status_code == 200
        assert not any(answer.done() for answer in asked)


@pytest.mark.usefixtures("held_long")
async def test_who_waits_for_a_lists_place_holds_no_turn(api):
    ceiling = api.app.state.large_answers["lists"]
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(ceiling.place("program:ada"))
        lists = [
            asyncio.create_task(api.client.get("/api/v1/dryrun/discoveries")) for _ in range(2 * AT_ONCE)
        ]
        await asyncio.sleep(0.3)
        assert not any(each.done() for each in lists)
        assert (await api.client.get(BLOCKED)).status_code == 200
    assert {answer.status_code for answer in await asyncio.gather(*lists)} == {200}


@pytest.mark.usefixtures("held_long")
async def test_an_open_stream_holds_no_turn(api):
    path = f"/api/v1/dryrun/sessions/{await api.start()}/events"
    async with AsyncExitStack() as streams:
        for _ in range(2 * AT_ONCE):
            stream = api.client.stream("GET", path, headers={"Accept": "text/event-stream"})
            assert (await streams.enter_async_context(stream)).status_code == 200
        assert (await api.client.get(OTHER)).status_code == 200


def test_no_request_waits_for_its_turn_with_a_connection_in_its_hand(settings):
    (transaction,) = Transaction.__metadata__
    in_order = {}
    for route in iter_route_contexts(create_app(settings).routes):
        calls = list(dependencies_of(route.dependant)) if hasattr(route, "dependant") else []
        if transaction.dependency in calls:
            before = calls[: calls.index(transaction.dependency)]
            after = calls[len(before) :]
            in_order[str(route.methods), route.path] = not any(isinstance(call, Requires) for call in after)
    assert len(in_order) > 50
    assert {route for route, right in in_order.items() if not right} == set()


def dependencies_of(dependant):
    for each in dependant.dependencies:
        yield from dependencies_of(each)
        yield each.call
