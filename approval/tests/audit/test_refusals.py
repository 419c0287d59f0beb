"""Whoever is refused over and over fills no audit log, and every refusal is accounted for."""

import pytest
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.audit import log, refusals
from approval_api.audit.refusals import ACTION, LINES_AT_ONCE, Refusals
from approval_api.database.engine import create_engine
from approval_api.identity.roles import Role

BEGIN = "/api/v1/production/scans"
FEW = 5


@pytest.fixture
def few(api):
    """Give each person few lines of their own."""
    api.app.state.refusals = few = Refusals(at_once=FEW, per_second=1e-6)
    return few


async def lines(engine, actor):
    async with engine.connect() as connection:
        query = text("SELECT * FROM gateway.audit_log WHERE actor = :actor ORDER BY id")
        return list((await connection.execute(query, {"actor": actor})).mappings())


async def is_refused(browser, times, path="/production/scans"):
    for _ in range(times):
        assert (await browser.ask("POST", path, json={})).status_code in {403, 404}


async def test_a_flood_of_refusals_is_one_line_that_says_what_how_often_and_when(api, browsers, engine, few):
    eve = await browsers("eve", Role.VIEWER)
    before = len(await lines(engine, "eve"))
    await is_refused(eve, FEW + 8)
    await is_refused(eve, 3, "/dryrun/experiments")
    assert len(await lines(engine, "eve")) == before + FEW
    await few.write(engine)
    *_, counted = await lines(engine, "eve")
    assert len(await lines(engine, "eve")) == before + FEW + 1
    assert (counted["action"], counted["outcome"]) == (ACTION, "refused")
    assert (counted["proof"], counted["address"]) == ("cookie", "127.0.0.1")
    assert counted["detail"].startswith("11 more from ")
    assert "from 127.0.0.1: 8 begin_scan forbidden, 3 request_experiment forbidden" in counted["detail"]
    await few.write(engine)
    assert len(await lines(engine, "eve")) == before + FEW + 1


async def test_what_the_same_person_may_and_what_others_are_refused_have_their_lines(browsers, engine, few):
    eve, bob = await browsers("eve", Role.OPERATOR), await browsers("bob", Role.VIEWER)
    for _ in range(FEW + 1):
        await eve.ask("DELETE", "/people/00000000-0000-4000-8000-000000000000/tokens/x")
        await eve.ask("POST", "/people", json={})
    stored = await eve.ask("PUT", "/dryrun/criteria/sets/mine", json={"false_positives_max": 0})
    assert stored.status_code == 200
    assert (await lines(engine, "eve"))[-1]["outcome"] == "done"
    await is_refused(bob, 1)
    assert (await lines(engine, "bob"))[-1]["action"] == "begin_scan"


async def test_what_failed_and_may_have_had_an_effect_always_has_its_line(browsers, engine, few, monkeypatch):
    eve = await browsers("eve", Role.OPERATOR)
    await is_refused(eve, FEW + 1, "/people")
    before = len(await lines(engine, "eve"))

    async def fails(*_):
        raise OSError

    monkeypatch.setattr("approval_api.api.criteria.service.store", fails)
    for _ in range(3):
        answer = await eve.ask("PUT", "/dryrun/criteria/sets/mine", json={"false_positives_max": 0})
        assert answer.status_code == 503
    found = await lines(engine, "eve")
    assert [line["outcome"] for line in found[before:]] == ["failed"] * 3


async def test_what_could_not_be_written_is_counted_on(browsers, engine, few, database_url):
    eve = await browsers("eve", Role.VIEWER)
    await is_refused(eve, FEW + 2)
    nowhere = create_engine(database_url.replace("test_", "nowhere_"))
    with pytest.raises(log.DATABASE_ERRORS):
        await few.write(nowhere)
    await nowhere.dispose()
    await is_refused(eve, 1)
    await few.write(engine)
    assert (await lines(engine, "eve"))[-1]["detail"].startswith("3 more from ")


async def test_a_service_that_ends_writes_what_it_has_counted(settings, orchestrator, serving, engine):
    app = create_app(settings, orchestrator_transport=orchestrator)
    app.state.refusals = Refusals(at_once=1, per_second=1e-6)
    async with serving(app) as api:
        for _ in range(4):
            assert (await api.client.post("/api/v1/people", json={})).status_code == 403
    assert (await lines(engine, "program:ada"))[-1]["detail"].startswith("3 more from ")


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(refusals, "EVERY_SECONDS", 0.05)


async def test_it_is_written_while_the_service_runs(soon, api, browsers, engine, eventually):
    eve = await browsers("eve", Role.VIEWER)
    await is_refused(eve, LINES_AT_ONCE + 20)

    async def counted():
        return [line for line in await lines(engine, "eve") if line["action"] == ACTION]

    assert await eventually(counted)
    assert len(await lines(engine, "eve")) < LINES_AT_ONCE + 20
