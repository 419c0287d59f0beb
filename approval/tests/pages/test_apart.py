"""Production and dry-runs have pages of their own: neither shows, counts or changes a row of the other."""

from uuid import UUID

import pytest
from scripted_session import ScriptedSession
from site_map import PLACES
from sqlalchemy import text
from stored_check import store_check
from wanted_rule import RULE

from approval_api.app import create_app
from approval_api.identity.program_token import ProgramToken

DRYRUN_MARK = "marked-as-rehearsal"
PRODUCTION_MARK = "marked-as-production"
BROWSER = {"Accept": "text/html"}


@pytest.fixture
async def admin(settings, orchestrator, serving):
    """A service that lets the tests' own token do everything."""
    token = ProgramToken.parse("ada/admin/network:a-token-of-the-tests")
    everything = settings.model_copy(update={"tokens": (token,)})
    async with serving(create_app(everything, orchestrator_transport=orchestrator)) as api:
        yield api


@pytest.fixture
async def filled(admin, orchestrator, eventually):
    """One marked row of production, three of a dry-run: the last one's id is none of production's."""
    found = [{"kind": "service", "key": "192.0.2.7:80/tcp", "data": {"banner": PRODUCTION_MARK}}]
    reported = {"collector": "network", "discoveries": found}
    answer = await admin.client.post("/api/v1/production/discoveries", json=reported)
    assert answer.status_code == 200, answer.text
    sessions = [ScriptedSession(orchestrator, UUID(await admin.start())) for _ in range(2)]
    for session in sessions:
        session.build()
        session.enter("scanning")
        session.start("network")
        for port in (80, 81, 82):
            session.find("network", "service", f"10.213.0.3:{port}/tcp", banner=DRYRUN_MARK)
        session.end_collector("network")
        session.clean_up()

    async def has_ended():
        listed = (await admin.get("/sessions")).json()["sessions"]
        return all(session["phase"] == "ended" for session in listed)

    await eventually(has_ended)
    wanted = {"name": "one", "templates": ["small"]}
    return {
        "rule": (await admin.client.post("/api/v1/production/rules", json=RULE)).json()["id"],
        "experiment": (await admin.post("/experiments", json=wanted)).json()["id"],
        "schedule": (
            await admin.post("/schedules", json={"cron": "30 2 * * *", "experiment": wanted})
        ).json()["id"],
        "check": await store_check(admin.app.state.engine, sessions[1].id),
        "ended": sessions[1].id,
        "earlier": sessions[0].id,
        "failed": sessions[0].id,
        "running": sessions[0].id,
        "production": 1,
        "person": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "delivery": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    }


async def test_no_page_shows_what_belongs_to_the_other_area(admin, filled):
    seen = set()
    for place in PLACES:
        shown = (await admin.client.get(place.path.format(**filled), headers=BROWSER)).text
        if DRYRUN_MARK in shown:
            assert place.path.startswith("/dryrun/"), place.name
            seen.add("dryrun")
        if PRODUCTION_MARK in shown:
            assert place.path.startswith("/production/"), place.name
            seen.add("production")
    assert seen == {"dryrun", "production"}


async def test_a_search_finds_nothing_of_the_other_area(admin, filled):
    for area, own, others in (
        ("dryrun", DRYRUN_MARK, PRODUCTION_MARK),
        ("production", PRODUCTION_MARK, DRYRUN_MARK),
    ):
        for mark, is_found in ((own, True), (others, False)):
            answer = await admin.client.get(f"/{area}/discoveries?search={mark}", headers=BROWSER)
            assert ("data-row" in answer.text) == is_found, (area, mark)


@pytest.mark.parametrize("given", ["change=gone", "changed=yes", "happened=gone&since=2026-01-01T00:00:00Z"])
async def test_a_filter_of_production_alone_filters_nothing_of_dry_runs(admin, filled, given):
    answer = await admin.client.get(f"/dryrun/discoveries?{given}", headers=BROWSER)
    assert (answer.status_code, answer.text.count("data-row")) == (200, 6)


async def test_a_decision_in_one_area_changes_nothing_in_the_other(admin, filled, engine):
    async def decided():
        async with engine.connect() as connection:
            return [
                await connection.scalar(
                    text(f"SELECT count(*) FROM gateway.{table} WHERE status <> 'pending'")
                )
                for table in ("dryrun_discoveries", "discoveries")
            ]

    async def decide(area, row_id):
        sent = {"one": f"approved {row_id}:1"}
        answer = await admin.client.post(f"/{area}/discoveries", data=sent, headers=BROWSER)
        assert answer.status_code == 303, answer.text

    # Six rows of dry-runs, one of production: the id 6 is known in one table only.
    await decide("production", 6)
    assert await decided() == [0, 0]
    await decide("dryrun", 1)
    assert await decided() == [1, 0]
    await decide("production", 1)
    assert await decided() == [1, 1]
