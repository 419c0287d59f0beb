"""Trends are read from what reports and results keep: by template, by collector, newest last."""

import json
import uuid

import pytest
from sqlalchemy import text

from approval_api.trends.reading import sparklines

pytestmark = pytest.mark.usefixtures("not_scored_ahead")

NETWORK, DATABASE = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
def store(engine):
    """Store a scored session so many hours ago."""

    async def store(hours, recall, *, template="small", scan=None, cut=False, images=None, measures=True):
        own = {
            name: {"image": image, "recall": recall / 2, "precision": None, "seconds": 5}
            for name, image in (images or {"network": NETWORK}).items()
        }
        kept = {
            "recall": recall,
            "precision": 1,
            "harmed": 1,
            "seconds": 9.5,
            "packets": 100,
            "collectors": own,
        }
        figures = {"precision": 1, "recall": 1, "f1": 1, "missed": 0, "false_positives": 0, "harmed": 1}
        session = uuid.uuid4()
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, "
                    "phase, outcome, requested_at, scan) VALUES (:id, :template, 'd', 0, false, 'ada', "
                    "'ended', 'completed', now() - make_interval(hours => :hours), CAST(:scan AS jsonb))"
                ),
                {"id": session, "template": template, "hours": hours, "scan": json.dumps(scan or {})},
            )
            await connection.execute(
                text(
                    "INSERT INTO gateway.dryrun_reports (session_id, state, final, figures, report) "
                    "VALUES (:id, '', true, CAST(:figures AS jsonb), '')"
                ),
                {
                    "id": session,
                    "figures": json.dumps(figures | {"cut": cut, "measures": kept if measures else None}),
                },
            )
        return str(session)

    return store


async def points(api, **params):
    answer = await api.get("/trends", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["points"]


async def test_sessions_of_a_template_are_points_oldest_first(api, store):
    scan = {"collectors": ["network"], "profile": "full", "max_rate": 100}
    newest = await store(1, 0.5, scan=scan, cut=True)
    oldest = await store(9, 0.75)
    await store(5, 0.1, template="large")
    await store(4, 0.1, measures=False)
    first, second = await points(api, template="small")
    assert (first["session_id"], second["session_id"]) == (oldest, newest)
    assert (first["line"], second["line"]) == ("as installed", "network full 100/s")
    assert (first["whole"], second["whole"]) == (True, False)
    measured = {name: each["value"] for name, each in first["measured"].items()}
    assert measured == {"recall": 0.75, "precision": 1, "harmed": 1, "seconds": 9.5, "packets": 100}
    assert first["images"] == {"network": NETWORK}


async def test_a_collector_has_its_own_figures(api, store):
    await store(2, 0.5, images={"network": NETWORK, "database": DATABASE})
    await store(1, 0.5)
    (only,) = await points(api, template="small", collector="database")
    assert only["images"] == {"database": DATABASE}
    assert only["measured"]["recall"]["value"] == 0.25
    assert only["measured"]["seconds"]["value"] == 5
    assert len(await points(api, template="small", collector="network")) == 2
    assert await points(api, template="small", collector="web") == []


async def test_the_page_and_the_overview_draw_it(api, store):
    await store(2, 0.5)
    await store(1, 0.75, images={"network": DATABASE})
    shown = (await api.client.get("/dryrun/trends?template=small", headers={"Accept": "text/html"})).text
    assert shown.count("<figure") == 5
    assert "network bbbbbbbbbbbb" in shown
    shown = (await api.client.get("/dryrun/trends?template=<i>x&collector=<i>x")).text
    assert "<i>x" not in shown
    assert "Recent recall of services" in (await api.client.get("/")).text


async def test_the_overview_draws_each_way_to_scan_by_itself_and_leaves_out_experiments(api, store, engine):
    ways = {"": None, "network quick": {"collectors": ["network"], "profile": "quick"}}
    for hours, recall in ((6, 0.5), (5, 0.75)):
        for scan in ways.values():
            await store(hours, recall if scan is None else recall / 5, scan=scan)
    experiment = (await api.post("/experiments", json={"name": "one", "templates": ["small"]})).json()["id"]
    of_experiment = await store(1, 0.1), await store(2, 0.2)
    async with engine.begin() as connection:
        for number, session in enumerate(of_experiment, 1000):
            run = (
                "INSERT INTO gateway.experiment_runs (experiment_id, number, session_id) VALUES (:e, :n, :s)"
            )
            await connection.execute(text(run), {"e": experiment, "n": number, "s": session})
    async with engine.connect() as connection:
        found = await sparklines(connection)
    assert [(each.way, each.recalls) for each in found] == [("", (0.5, 0.75)), ("network quick", (0.1, 0.15))]
    shown = (await api.client.get("/", headers={"Accept": "text/html"})).text
    assert "network quick" in shown


async def test_what_cannot_be_a_name_is_refused(api):
    assert (await api.get("/trends", params={"template": "../x"})).status_code == 422
    assert (await api.get("/trends", params={"template": "small", "collector": "' OR 1"})).status_code == 422
    assert (await api.get(f"/schedules/{uuid.uuid4()}/trend")).status_code == 404


@pytest.mark.parametrize("path", ["/trends?template=none", "/templates/none/badge"])
async def test_a_template_that_there_is_not_is_a_404_that_says_which_there_are(api, store, path):
    answer = await api.get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:dryrun:problem:unknown-template"
    assert "small" in answer.json()["detail"]
    # One that is no longer installed still has its history.
    await store(1, 0.5, template="none")
    assert (await api.get(path)).status_code == 200


async def test_a_template_without_a_session_has_an_empty_trend_and_a_badge_that_says_so(api):
    assert await points(api, template="small") == []
    assert (await api.get("/templates/small/badge")).json()["message"] == "not measured"


async def test_a_history_is_shown_while_the_orchestrator_is_away(api, store, orchestrator):
    await store(1, 0.5)
    orchestrator.down = True
    assert len(await points(api, template="small")) == 1


async def test_how_another_version_chose_to_scan_hides_no_other_sparkline(store, engine, api):
    for hours in (2, 1):
        await store(hours, 0.5, scan={"of_tomorrow": 1})
        await store(hours, 0.75)
    async with engine.connect() as connection:
        found = {each.way: each.recalls for each in await sparklines(connection)}
    assert found == {"": (0.75, 0.75), "chosen in another version": (0.5, 0.5)}
    assert (await api.get("/trends", params={"template": "small"})).status_code == 200
