"""Checks that count production, and forecasts, take turns: others keep connections and room in the worker."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from rehearsed_network import rehearsed
from sqlalchemy import insert, text

from approval_api.access import large_answers
from approval_api.checks import repository
from approval_api.database.tables import forecast_checks
from approval_api.identity.roles import Role

BOB = {"Authorization": "Bearer another-token-of-the-tests"}


@pytest.mark.whole_pool
async def test_who_checks_many_times_at_once_leaves_others_connections_to_the_database(
    api, scanned, eventually, monkeypatch
):
    session_id = await rehearsed(api, eventually)
    ended, under_way, count = asyncio.Event(), 0, repository.production_outcome

    async def slow(connection, **took):
        nonlocal under_way
        under_way += 1
        await connection.execute(text("SELECT 1"))
        await ended.wait()
        return await count(connection, **took)

    monkeypatch.setattr(repository, "production_outcome", slow)
    wanted = [asyncio.create_task(api.post(f"/sessions/{session_id}/checks", json={})) for _ in range(8)]

    async def one_counts():
        return under_way

    await eventually(one_counts, 20)
    # A turn among all answers is held for half a second at most, whatever the answer waits for.
    await asyncio.sleep(1)
    listed = await api.client.get("/api/v1/dryrun/checks", headers=BOB)
    assert (listed.status_code, under_way) == (200, 1)
    ended.set()
    assert {(await each).status_code for each in wanted} == {422}  # production holds nothing


async def test_a_check_by_the_page_waits_for_its_turn_too(api, browsers, scanned, eventually, monkeypatch):
    session_id = await rehearsed(api, eventually)
    ada = await browsers("ada", Role.OPERATOR)
    form = {"csrf_token": ada.csrf, "session": session_id}
    monkeypatch.setattr(large_answers, "PLACE_SECONDS", 0.05)
    with api.app.state.large_answers["checks"].place("ada"):
        assert (await ada.client.post("/dryrun/checks", data=form)).status_code == 503
    # Production holds nothing.
    assert (await ada.client.post("/dryrun/checks", data=form)).status_code == 422


@pytest.mark.parametrize("of", ["a check", "a forecast"])
async def test_who_forecasts_many_times_at_once_leaves_others_room(api, scanned, eventually, monkeypatch, of):
    session_id = await rehearsed(api, eventually)
    worker = api.app.state.checks._worker
    ended, exchange = asyncio.Event(), worker._exchange

    async def slow(process, task):
        await ended.wait()
        return await exchange(process, task)

    monkeypatch.setattr(worker, "_exchange", slow)
    path, outcome = f"/sessions/{session_id}", {"outcome": {"hosts": 40}}
    wanted = [
        asyncio.create_task(
            api.post(f"{path}/checks", json=outcome) if of == "a check" else api.get(f"{path}/forecast")
        )
        for _ in range(16)
    ]
    # A turn among all answers is held for half a second at most, whatever the answer waits for.
    await asyncio.sleep(2.5)
    by_another = asyncio.create_task(api.client.get(f"/api/v1/dryrun{path}/forecast", headers=BOB))
    await asyncio.sleep(0.2)
    ended.set()
    assert (await by_another).status_code == 200
    assert {(await each).status_code for each in wanted} <= {200, 201}


async def test_the_list_of_checks_waits_for_its_turn(api, browsers, monkeypatch):
    ada = await browsers("ada", Role.VIEWER)
    monkeypatch.setattr(large_answers, "PLACE_SECONDS", 0.05)
    for path in ("/dryrun/checks", "/api/v1/dryrun/checks"):
        with api.app.state.large_answers["lists"].place("ada", 2):
            assert (await ada.client.get(path)).status_code == 503
        assert (await ada.client.get(path)).status_code == 200


async def test_others_have_a_turn_before_each_check_of_a_list_is_read(engine, monkeypatch):
    of_another = {"template": "small", "checked_by": "ada", "source": "output", "comparison": {}}
    turns, read_at = 0, []

    async def take_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    monkeypatch.setattr(repository, "_check", lambda _: read_at.append(turns))
    async with engine.begin() as connection:
        rows = [of_another | {"id": uuid4(), "checked_at": datetime.now(UTC)} for _ in range(20)]
        await connection.execute(insert(forecast_checks), rows)
        others = asyncio.create_task(take_turns())
        await repository.newest(connection, 100)
        others.cancel()
    assert len(set(read_at)) == len(read_at) == len(rows)
