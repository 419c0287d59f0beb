"""Production: known when it comes again, shown when it changed, decided on as it was seen."""

import asyncio
import json

import pytest
from sqlalchemy import text

from approval_api.identity.roles import Role

PATH = "/api/v1/production/discoveries"
DB = {"kind": "service", "key": "192.0.2.7:5432/tcp", "data": {"product": "PostgreSQL", "version": "17.2"}}
WEB = {"kind": "service", "key": "192.0.2.8:443/tcp", "data": {"product": "nginx"}, "confidence": 0.5}


async def report(api, *discoveries, collector="network"):
    answer = await api.client.post(PATH, json={"collector": collector, "discoveries": discoveries})
    assert answer.status_code == 200, answer.text
    return tuple(answer.json()[name] for name in ("new", "changed", "unchanged"))


async def listed(api, **params):
    answer = await api.client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["discoveries"]


async def decide(api, decision, *rows, note=""):
    seen = [{"id": row["id"], "revision": row["revision"]} for row in rows]
    body = {"decision": decision, "note": note, "discoveries": seen}
    return (await api.client.post(f"{PATH}/decisions", json=body)).json()


@pytest.fixture
def programs():
    return "ada/operator+approver/network+database"


async def test_the_same_scan_again_makes_nothing_new(api):
    assert await report(api, DB, WEB) == (2, 0, 0)
    assert await report(api, DB, WEB) == (0, 0, 2)
    web, db = await listed(api)
    assert (db["key"], db["times_seen"], db["revision"], db["changed_at"]) == (DB["key"], 2, 1, None)
    assert db["last_seen_at"] > db["found_at"]
    assert web["status"] == "pending"


async def test_another_collectors_report_of_the_same_thing_is_another_discovery(api):
    await report(api, DB)
    assert await report(api, DB, collector="database") == (1, 0, 0)
    assert [row["collector"] for row in await listed(api)] == ["database", "network"]
    assert [row["collector"] for row in await listed(api, collector="network")] == ["network"]


async def test_duplicates_in_one_report_are_one_discovery(api):
    assert await report(api, DB, DB | {"data": {"product": "other"}}) == (1, 0, 0)
    (row,) = await listed(api)
    assert row["data"] == {"product": "other"}


async def test_a_change_is_shown_attribute_by_attribute(api):
    await report(api, DB)
    newer = {"product": "PostgreSQL", "version": "18.1", "tls": True}
    assert await report(api, DB | {"data": newer}) == (0, 1, 0)
    (row,) = await listed(api)
    assert row["data"] == newer
    (change,) = (await api.client.get(f"{PATH}/{row['id']}/changes")).json()["changes"]
    assert change["revision"] == 2
    assert change["attributes"] == [
        {"name": "tls", "before": None, "after": True},
        {"name": "version", "before": "17.2", "after": "18.1"},
    ]


async def test_more_confidence_alone_is_no_change(api):
    await report(api, WEB)
    assert await report(api, WEB | {"confidence": 1}) == (0, 0, 1)
    (row,) = await listed(api)
    assert (row["confidence"], row["revision"]) == (1, 1)


async def test_a_decision_is_kept_with_who_when_and_why(api):
    await report(api, DB, WEB)
    web, db = await listed(api)
    assert (await decide(api, "rejected", db, note="  decommissioned "))["decided"] == [db["id"]]
    (row,) = await listed(api, status="rejected")
    assert row["decision"].pop("at")
    assert row["decision"] == {"decision": "rejected", "by": "program:ada", "note": "decommissioned"}
    assert [row["id"] for row in await listed(api, status="pending")] == [web["id"]]
    await report(api, DB, WEB)
    assert [row["id"] for row in await listed(api, status="rejected")] == [db["id"]]
    await decide(api, "pending", db)
    assert [row["decision"] for row in await listed(api)] == [None, None]


async def test_a_change_after_a_decision_is_pending_again_and_shows_the_decision(api):
    await report(api, DB, WEB)
    web, db = await listed(api)
    await decide(api, "approved", db, web)
    await report(api, DB | {"data": {"product": "something else"}}, WEB)
    (row,) = await listed(api, changed="true")
    assert (row["id"], row["status"], row["decision"]["decision"]) == (db["id"], "pending", "approved")
    assert [row["id"] for row in await listed(api, changed="false")] == [web["id"]]


async def test_nobody_decides_on_what_changed_since_they_looked(api):
    await report(api, DB, WEB)
    web, db = await listed(api)
    await report(api, DB | {"data": {"product": "something else"}})
    unknown = {"id": 2**40, "revision": 1}
    decided = await decide(api, "approved", web, db, unknown)
    assert decided == {"decided": [web["id"]], "changed": [db["id"]], "unknown": [2**40]}
    assert [row["id"] for row in await listed(api, status="approved")] == [web["id"]]


async def test_of_two_decisions_on_one_revision_the_later_stands_and_the_audit_log_has_both(api, engine):
    await report(api, WEB)
    (web,) = await listed(api)
    for decision in ("approved", "rejected"):
        assert (await decide(api, decision, web))["decided"] == [web["id"]]
    (row,) = await listed(api)
    assert (row["status"], row["revision"]) == ("rejected", web["revision"])
    query = text("SELECT detail FROM gateway.audit_log WHERE object = :object ORDER BY id")
    async with engine.begin() as connection:
        said = (await connection.execute(query, {"object": f"discoveries {web['id']}"})).scalars().all()
    assert [each.partition(":")[0] for each in said] == ["approved", "rejected"]


@pytest.mark.whole_pool
async def test_reports_at_the_same_moment_lose_no_change(api):
    versions = [DB | {"data": {"version": str(number)}} for number in range(8)]
    counts = await asyncio.gather(*(report(api, version) for version in versions))
    assert sorted(counts) == [(0, 1, 0)] * 7 + [(1, 0, 0)]
    (row,) = await listed(api)
    assert row["revision"] == 8
    changes = (await api.client.get(f"{PATH}/{row['id']}/changes")).json()["changes"]
    assert [change["revision"] for change in changes] == list(range(8, 1, -1))
    after = changes[0]["attributes"][0]["after"]
    assert row["data"] == {"version": after}


async def test_hostile_text_is_stored_and_sent_as_text(api):
    hostile = {"title": "<script>alert(1)</script>", "banner": "\x00\ud800\x1b[31m", "=cmd": "=1+1"}
    found = {"kind": "web_app", "key": "192.0.2.9:80/tcp", "data": hostile}
    body = json.dumps({"collector": "network", "discoveries": [found]})  # in ASCII, with escapes
    answer = await api.client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    (row,) = await listed(api)
    assert row["data"] == hostile | {"banner": "\u2400\ufffd\x1b[31m"}


@pytest.mark.parametrize(
    "body",
    [
        {"collector": "network", "discoveries": []},
        {"collector": "network", "discoveries": [DB] * 501},
        {"collector": "../x", "discoveries": [DB]},
        {"collector": "network", "discoveries": [DB | {"key": "no key at all"}]},
        {"collector": "network", "discoveries": [DB | {"is_dryrun": True}]},
        {"collector": "network", "discoveries": [DB], "dryrun_session_id": "x"},
    ],
)
async def test_a_report_that_is_not_valid_is_refused_whole(api, body):
    assert (await api.client.post(PATH, json=body)).status_code == 422
    assert await listed(api) == []


async def test_a_report_may_be_longer_than_other_bodies_and_has_a_limit(api):
    many = [
        {"kind": "host", "key": f"10.0.{number // 250}.{number % 250 + 1}", "data": {"x": "y" * 1000}}
        for number in range(500)
    ]
    assert await report(api, *many) == (500, 0, 0)
    too_long = DB | {"data": {"x": "y" * 5_000_000}}
    answer = await api.client.post(PATH, json={"collector": "network", "discoveries": [too_long]})
    assert answer.status_code == 413


async def test_an_unknown_discovery_is_a_404(api):
    for path in (f"{PATH}/4711", f"{PATH}/4711/changes"):
        assert (await api.client.get(path)).status_code == 404


async def test_the_production_reader_sees_decisions_and_changes(api, engine):
    await report(api, DB)
    async with engine.connect() as connection:
        await connection.execute(text("SET ROLE production_reader"))
        assert (
            await connection.execute(text("SELECT status FROM gateway.discoveries"))
        ).scalar() == "pending"
        assert (await connection.execute(text("SELECT * FROM gateway.discovery_changes"))).all() == []
        await connection.invalidate()


@pytest.mark.parametrize(
    ("programs", "refusal"),
    [
        ("ada/operator/network", "may report as network"),
        ("ada/operator", "names no collector, so it cannot report as"),
        ("ada/admin", "names no collector, so it cannot report as"),
    ],
)
async def test_a_programs_token_reports_only_as_the_collectors_it_names(api, refusal):
    body = {"collector": "database", "discoveries": [DB]}
    answer = await api.client.post(PATH, json=body)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:dryrun:problem:not-this-collector")
    assert refusal in answer.json()["detail"]
    assert "with 'database' under “Reports as”" in answer.json()["detail"]
    assert await listed(api) == []


async def test_a_persons_token_cannot_rewrite_what_another_collector_reported(api, browsers, engine):
    ada = await browsers("ada", Role.OPERATOR)
    secrets = {}
    for collector in ("network", "database"):
        wanted = {"label": collector, "scopes": ["collect"], "collectors": [collector]}
        made = (await ada.ask("POST", "/me/tokens", json=wanted)).json()
        assert made["token"]["collectors"] == [collector]
        secrets[collector] = {"Authorization": f"Bearer {made['secret']}"}
    body = {"collector": "network", "discoveries": [DB]}
    assert (await api.client.post(PATH, json=body, headers=secrets["network"])).status_code == 200
    rewritten = {"collector": "network", "discoveries": [DB | {"data": {"product": "nothing"}}]}
    assert (await api.client.post(PATH, json=rewritten, headers=secrets["database"])).status_code == 403
    (row,) = await listed(api)
    assert (row["data"], row["times_seen"]) == (DB["data"], 1)
    # As tokens are that were made before they named collectors.
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.api_tokens SET collectors = '{}'"))
    answer = await api.client.post(PATH, json=body, headers=secrets["network"])
    assert (answer.status_code, "no collector" in answer.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    ("scopes", "collectors"),
    [
        (["collect"], []),
        (["read"], ["network"]),
        (["collect"], ["../x"]),
        (["collect"], [f"c{n}" for n in range(21)]),
    ],
)
async def test_a_token_to_collect_names_collectors_and_no_other_does(browsers, scopes, collectors):
    ada = await browsers("ada", Role.OPERATOR)
    wanted = {"label": "t", "scopes": scopes, "collectors": collectors}
    assert (await ada.ask("POST", "/me/tokens", json=wanted)).status_code == 422
