"""Badges: for those signed in; for others only at an address that an administrator published."""

import json
import uuid
import xml.etree.ElementTree as ET

import pytest
from sqlalchemy import text

from approval_api.identity.roles import Role
from approval_api.trends import badges
from approval_api.trends.badges import draw
from dryrun_contract.trend import Badge

pytestmark = pytest.mark.usefixtures("not_scored_ahead")

NOBODY = {"Authorization": ""}


@pytest.fixture
def programs():
    return "ada/admin"


@pytest.fixture
async def scored(engine):
    """Score a session of `small`."""

    async def score(passed, criteria=None):
        session = uuid.uuid4()
        measures = {
            "recall": 0.875,
            "precision": 1.0,
            "harmed": 0,
            "seconds": 1,
            "packets": 1,
            "collectors": {},
        }
        figures = {"recall": 0.9, "precision": 1, "passed": passed, "measures": measures}
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, "
                    "phase, outcome, criteria_name, criteria) "
                    "VALUES (:id, 'small', 'd', 0, false, 'ada', 'ended', 'completed', :criteria, "
                    "CASE WHEN CAST(:criteria AS text) IS NOT NULL THEN '{}'::json END)"
                ),
                {"id": session, "criteria": criteria},
            )
            await connection.execute(
                text(
                    "INSERT INTO gateway.dryrun_reports (session_id, state, final, figures, report) "
                    "VALUES (:id, '', true, CAST(:figures AS jsonb), '')"
                ),
                {"id": session, "figures": json.dumps(figures)},
            )

    return score


async def test_a_badge_says_how_the_newest_session_came_out(api, scored):
    badge = (await api.get("/templates/small/badge")).json()
    assert (badge["message"], badge["color"]) == ("not measured", "lightgrey")
    await scored(passed=False)
    badge = (await api.get("/templates/small/badge")).json()
    assert (badge["schemaVersion"], badge["label"], badge["message"], badge["color"]) == (
        1,
        "dry-run small",
        "recall 0.88, failed",
        "red",
    )
    await scored(passed=True)
    picture = await api.get("/templates/small/badge", params={"format": "svg"})
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in picture.headers["content-security-policy"]
    assert "recall 0.88, passed" in picture.text


async def test_nobody_reads_it_until_an_administrator_publishes_it_nor_after_it_is_withdrawn(api, scored):
    await scored(passed=True)
    assert (await api.get("/templates/small/badge", headers=NOBODY)).status_code == 401
    guessed = f"/badges/{'A' * 22}.svg"
    assert (await api.client.get(guessed, headers=NOBODY)).status_code == 404
    made = (await api.post("/badges", json={"template": "small"})).json()
    shown = await api.client.get(made["path"], headers=NOBODY)
    assert (shown.status_code, shown.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
    data = (await api.client.get(made["path"].replace(".svg", ".json"), headers=NOBODY)).json()
    assert (data["passed"], data["recall"]) == (True, 0.875)
    assert [each["id"] for each in (await api.get("/badges")).json()["badges"]] == [made["id"]]
    gone = await api.client.delete(f"/api/v1/dryrun/badges/{made['id']}")
    assert gone.status_code == 204
    assert (await api.client.get(made["path"], headers=NOBODY)).status_code == 404


async def test_a_verdict_by_criteria_that_somebody_stored_says_so(api, scored):
    await scored(passed=True, criteria="lenient")
    assert (await api.get("/templates/small/badge")).json()["message"] == "recall 0.88, passed by lenient"
    await scored(passed=True)
    assert (await api.get("/templates/small/badge")).json()["message"] == "recall 0.88, passed"


async def test_no_badge_is_published_of_a_template_that_there_is_not(api, browsers):
    admin = await browsers("grace", Role.ADMIN)
    refused = await admin.ask("POST", "/dryrun/badges", json={"template": "none"})
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:dryrun:problem:unknown-template")
    form = {"template": "none", "csrf_token": admin.csrf}
    assert (await admin.client.post("/dryrun/badges", data=form)).status_code == 404
    assert (await admin.ask("GET", "/dryrun/badges")).json()["badges"] == []


async def test_a_persons_token_publishes_nothing(api, browsers, scored):
    await scored(passed=True)
    grace = await browsers("grace", Role.ADMIN)
    made = (await grace.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["administer"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    wanted = {"template": "small"}
    refused = await api.post("/badges", json=wanted, headers=token)
    assert (refused.status_code, "sign in" in refused.json()["detail"]) == (403, True)
    assert (await grace.ask("POST", "/dryrun/badges", json=wanted)).status_code == 201


async def test_a_published_schedule_is_read_from_its_newest_measured_time_once_a_minute(
    api, engine, monkeypatch
):
    wanted = {"cron": "30 2 * * *", "experiment": {"name": "nightly", "templates": ["small"]}}
    schedule = (await api.post("/schedules", json=wanted)).json()["id"]

    async def fired(hours, recall):
        experiment = uuid.uuid4()
        rows = [
            {
                "kind": "service",
                "attribute": "product",
                "recall": {"value": 0.1},
                "precision": {"value": 0.1},
            },
            {"kind": "service", "attribute": None, "recall": {"value": recall}, "precision": {"value": 1.0}},
        ]
        # No results that anything but a badge could read.
        results = {"arms": [{"rows": rows}, {"rows": "unreadable"}]}
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO gateway.experiments (id, request, requested_by, requested_at, results, "
                    "results_of) VALUES (:id, '{}', 'ada', now(), CAST(:results AS jsonb), 1)"
                ),
                {"id": experiment, "results": json.dumps(results)},
            )
            await connection.execute(
                text(
                    "INSERT INTO gateway.schedule_firings (schedule_id, due_at, experiment_id) "
                    "VALUES (:schedule, now() - make_interval(hours => :hours), :id)"
                ),
                {"schedule": schedule, "hours": hours, "id": experiment},
            )

    await fired(3, 0.5)
    await fired(2, 0.75)
    await fired(1, None)
    made = (await api.post("/badges", json={"schedule_id": schedule})).json()

    async def message():
        answer = await api.client.get(made["path"].replace(".svg", ".json"), headers=NOBODY)
        assert answer.status_code == 200, answer.text
        return answer.json()["message"]

    assert await message() == "recall 0.75"
    await fired(0, 0.25)
    assert await message() == "recall 0.75", "kept"
    now = badges.monotonic()
    monkeypatch.setattr(badges, "monotonic", lambda: now + 61)
    assert await message() == "recall 0.25"


async def test_a_schedules_badge_goes_with_it(api):
    wanted = {"cron": "30 2 * * *", "experiment": {"name": "nightly", "templates": ["small"]}}
    schedule = (await api.post("/schedules", json=wanted)).json()["id"]
    badge = (await api.get(f"/schedules/{schedule}/badge")).json()
    assert (badge["label"], badge["message"]) == ("dry-run nightly", "not measured")
    made = (await api.post("/badges", json={"schedule_id": schedule})).json()
    assert (await api.client.get(made["path"], headers=NOBODY)).status_code == 200
    await api.client.delete(f"/api/v1/dryrun/schedules/{schedule}")
    assert (await api.client.get(made["path"], headers=NOBODY)).status_code == 404
    unknown = {"schedule_id": str(uuid.uuid4())}
    assert (await api.post("/badges", json=unknown)).status_code == 404
    for wrong in ({}, {"template": "small", "schedule_id": schedule}, {"template": "../x"}):
        assert (await api.post("/badges", json=wrong)).status_code == 422


def test_no_name_becomes_part_of_the_picture():
    label = '"><script>alert(1)</script>&{{ 7 * 7 }}'
    badge = Badge(label=label, message="<b>", color="red", at=None, recall=None, precision=None, passed=None)
    picture = ET.fromstring(draw(badge))
    assert {each.tag.split("}")[1] for each in picture.iter()} == {"svg", "title", "rect", "text"}
    assert [each.text for each in picture.iter() if each.tag.endswith("text")] == [label, "<b>"]


async def test_there_are_so_many_published_badges_and_no_more(api, monkeypatch):
    monkeypatch.setattr(badges, "MOST_PUBLISHED", 1)
    assert (await api.post("/badges", json={"template": "small"})).status_code == 201
    refused = await api.post("/badges", json={"template": "small"})
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:dryrun:problem:too-many-badges")


async def test_the_badge_of_a_schedule_that_is_removed_meanwhile_is_unknown(
    api, browsers, engine, monkeypatch
):
    root = await browsers("root", Role.ADMIN)
    schedule = uuid.uuid4()
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.schedules (id, request, owner) "
                'VALUES (:id, \'{"experiment": {"name": "nightly"}}\', \'ada\')'
            ),
            {"id": schedule},
        )
    publish = badges.publish

    async def overtaken(*which):
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM gateway.schedules"))
        return await publish(*which)

    monkeypatch.setattr(badges, "publish", overtaken)
    answer = await root.ask("POST", "/dryrun/badges", json={"schedule_id": str(schedule)})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:dryrun:problem:unknown-schedule")
