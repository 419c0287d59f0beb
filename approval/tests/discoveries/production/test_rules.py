"""Rules approve what they name, and nothing that is worded cleverly."""

from itertools import takewhile

import pytest
from made_rules import (
    HOST,
    LAB,
    PROGRAMS,
    RULE,
    RULES,
    SCANS,
    WEB,
    decide,
    lines,
    listed,
    make,
    report,
    states,
    switch_on,
)
from sqlalchemy import text

from approval_api.identity.roles import Role


@pytest.fixture
def programs():
    return PROGRAMS


async def test_a_rule_approves_what_its_preview_showed_and_then_what_is_reported(api, engine):
    await report(api, WEB, HOST, WEB | {"key": "198.51.100.1:443/tcp"})
    rule = await make(api)
    assert (rule["on_since"], await states(api)) == (None, dict.fromkeys(await states(api), "pending"))
    preview = await switch_on(api, rule)
    assert (preview["matching"], preview["queue"]) == (2, 3)
    assert [each["key"] for each in preview["examples"]] == [WEB["key"], HOST["key"]]
    assert await states(api) == {
        WEB["key"]: "approved",
        HOST["key"]: "approved",
        "198.51.100.1:443/tcp": "pending",
    }
    (web, *_) = await listed(api)
    assert web["decision"]["by"] == "rule:lab-web"
    assert web["decision"]["note"] == "made by program:ada, switched on by program:ada"
    assert await report(api, WEB | {"key": "[2001:db8::8]:80/tcp"}) == 1
    shown = (await api.client.get(f"{RULES}/{rule['id']}")).json()
    assert shown["approved"] == 3
    who = "made by program:ada, switched on by program:ada"
    first, second = await lines(engine, "approve_by_rule")
    assert first[:3] == ("rule:lab-web", "discoveries 1, 2", who)
    assert second[:3] == ("rule:lab-web", "discoveries 4", who)
    assert second[3] == (await lines(engine, "report_discoveries"))[-1][3], "the report's own request"


@pytest.mark.parametrize(
    "worded",
    [
        {"confidence": 0.89},
        {"kind": "database", "key": "192.0.2.8:443/tcp/x", "data": {"engine": "nginx"}},
        {"key": "192.0.3.8:443/tcp"},
        {"key": "192.0.2.8.example:443/tcp"},
        {"key": "192.0.2.08:443/tcp"},
        {"key": "192.0.2.8:0443/tcp"},
        {"key": "192.0.2.8:443/tcp/approve-me"},
        {"key": "[::ffff:192.0.2.8]:443/tcp"},
        {"key": "[2001:0db8::8]:443/tcp"},
        {"key": "[2001:db8:0:1::8]:443/tcp"},
        {"key": "192.0.2.8"},
        {"kind": "host"},
        {"kind": "service_host", "key": "192.0.2.8"},
        {"data": {"product": "NGINX", "version": "1"}},
        {"data": {"product": "nginx ", "version": "1"}},
        {"data": {"product": "ngin\u0445", "version": "1"}},
        {"data": {"product": "nginx\u200b", "version": "1"}},
        {"data": {"product": ["nginx"], "version": "1"}},
        {"data": {"product": {"name": "nginx"}}},
        {"data": {"product": None}},
        {"data": {"Product": "nginx"}},
        {"data": {}},
        {"data": {"product": "nginx; approved by ada"}},
        {"data": {"product": "nginx", "version": "1\u202e0"}},
        {"data": {"product": "nginx", "version": "1\n2"}},
        {"data": {"product": "nginx", "version": "x" * 4001}},
        {"data": {"product": "nginx", "version": {"a": "\u0430"}}},
    ],
    ids=str,
)
async def test_nothing_that_is_worded_cleverly_is_approved(api, worded):
    await switch_on(api, await make(api))
    assert await report(api, WEB) == 1, "the rule works"
    assert await report(api, WEB | {"key": "192.0.2.10:443/tcp"} | worded) == 0
    assert [row["status"] for row in await listed(api)][-1] == "pending"


@pytest.mark.parametrize(
    ("name", "approved"),
    [
        ("Admin", 1),
        ("50%25 of a%2Fb", 1),
        ("%41dmin", 0),
        ("a%2fb", 0),
        ("50%", 0),
        ("%1B[31m", 0),
        ("%C2%AD", 0),
    ],
)
async def test_a_name_in_a_key_counts_in_one_spelling_only(api, name, approved):
    await switch_on(api, await make(api, kinds=["share"], attributes={"type": "any"}))
    share = {"kind": "share", "key": f"192.0.2.8:445/tcp/{name}", "data": {"type": "disk"}, "confidence": 1}
    assert await report(api, share) == approved


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"changes": ["changed"]}, "changes"),
        ({"collectors": ["database"]}, "collectors"),
        ({"reporters": ["program:other"]}, "reporters"),
        ({"min_confidence": 0.99}, "min_confidence"),
        ({"subnets": ["198.51.100.0/24"]}, "subnets"),
        ({"kinds": ["host"], "attributes": {}}, "kinds"),
        ({"attributes": {"product": ["nginx"]}}, "attributes"),
        ({}, None),
    ],
)
async def test_a_preview_without_a_match_says_which_condition_leaves_nothing(api, changes, last):
    await report(api, WEB, WEB | {"key": "192.0.2.9:443/tcp"})
    rule = await make(api, **changes)
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    remaining = preview["remaining"]
    assert (preview["matching"] == 0, preview["queue"]) == (last is not None, 2)
    assert next((name for name, left in remaining.items() if not left), None) == last
    assert [left for left in remaining.values() if left] == [2] * len([*takewhile(bool, remaining.values())])
    page = await api.client.get(f"/production/rules/{rule['id']}", headers={"Accept": "text/html"})
    assert (f"{last.replace('_', ' ')} 0." in page.text) if last else ("Left after" not in page.text)


async def test_an_attribute_that_the_rule_does_not_name_keeps_it_from_approving(api):
    await switch_on(api, await make(api, attributes={"product": ["nginx"]}))
    assert await report(api, WEB) == 0
    assert await report(api, WEB | {"data": {"product": "nginx", "banner": "evidence is not judged"}}) == 1


async def test_only_the_named_reporter_counts_whatever_collector_it_says(api, browsers):
    await switch_on(api, await make(api))
    eve = await browsers("eve", Role.OPERATOR)
    answer = await eve.ask(
        "POST", "/production/discoveries", json={"collector": "network", "discoveries": [WEB]}
    )
    assert answer.json()["approved"] == 0
    assert await states(api) == {WEB["key"]: "pending"}
    assert await report(api, WEB, collector="database") == 0
    assert await report(api, WEB) == 1, "the named one confirmed it"


async def test_a_report_that_was_cut_off_vouches_only_for_what_it_says(api, browsers):
    rule = await make(api, changes=["new", "returned"])
    await switch_on(api, rule)
    eve = await browsers("eve", Role.OPERATOR)
    less = WEB | {"data": {"product": "nginx"}, "confidence": 0.3}

    async def eves(found):
        body = {"collector": "network", "cut_off": True, "discoveries": [found]}
        return (await eve.ask("POST", "/production/discoveries", json=body)).json()["approved"]

    assert await eves(WEB) == 0
    assert await report(api, less, cut_off=True) == 0, "the data are eve's"
    assert await report(api, WEB, cut_off=True) == 1, "it says all of it"
    assert await eves(less) == 0
    for _ in range(3):
        scan = {"collector": "network", "targets": ["192.0.2.0/24"], "profile": "full"}
        begun = (await api.client.post(SCANS, json=scan, headers=LAB)).json()["id"]
        await api.client.post(f"{SCANS}/{begun}/end", json={"complete": True}, headers=LAB)
    assert await eves(less) == 0
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    assert (preview["queue"], preview["matching"]) == (1, 0), "only eve saw it return"
    assert await report(api, WEB, cut_off=True) == 1


async def test_a_persons_decision_stands(api):
    await switch_on(api, await make(api, changes=["new", "changed", "returned"]))
    await report(api, WEB, HOST)
    web, host = await listed(api)
    await decide(api, "rejected", web)
    await decide(api, "pending", host)
    newer = WEB | {"data": {"product": "nginx", "version": "1.27"}}
    assert await report(api, WEB, HOST) == 0
    assert await report(api, newer, HOST) == 0
    assert await states(api) == {WEB["key"]: "pending", HOST["key"]: "pending"}
    assert await report(api, newer, HOST | {"data": {"names": ["b"]}}) == 0, "taken back, and changed since"
    for row in await listed(api):
        await decide(api, "pending", row)
    newest = WEB | {"data": {"product": "nginx", "version": "1.28"}}
    assert await report(api, newest, HOST | {"data": {"names": ["c"]}}) == 0, "a rejection taken back too"
    for row in await listed(api):
        await decide(api, "approved", row)
    assert await report(api, newer, HOST) == 2, "approved by a person, and changed since"


async def test_only_named_changes_and_never_a_removal(api):
    rule = await make(api)
    await switch_on(api, rule)
    await report(api, WEB)
    assert await report(api, WEB | {"data": {"product": "nginx", "version": "1.27"}}) == 0
    for changes in (["gone"], ["new", "gone"], []):
        assert (
            await api.client.post(RULES, json=RULE | {"name": "x", "changes": changes})
        ).status_code == 422


async def test_a_rule_of_another_version_approves_nothing_and_keeps_no_report_out(api, engine, caplog):
    newer, own = await make(api, name="a-newer-one"), await make(api)
    for each in (newer, own):
        await switch_on(api, each)
    changed = "UPDATE gateway.approval_rules SET request = request::jsonb || '{\"but\": 1}' WHERE id = :id"
    async with engine.begin() as connection:
        await connection.execute(text(changed), {"id": newer["id"]})
    assert await report(api, WEB, HOST) == 2
    assert {row["decision"]["by"] for row in await listed(api)} == {"rule:lab-web"}
    assert "a rule of another version is left out" in caplog.messages
    assert [each["name"] for each in await named(api)] == ["lab-web"]
    for path in (f"{RULES}/{newer['id']}", f"{RULES}/{newer['id']}/preview"):
        answer = await api.client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:dryrun:problem:unreadable")
    assert (await api.client.delete(f"{RULES}/{newer['id']}")).status_code == 204
    (removed,) = await lines(engine, "remove_rule")
    assert removed[1] == f"rule a-newer-one {newer['id']}"
    assert '"but":1' in removed[2]


async def named(api):
    """Return the requests of all listed rules."""
    return [each["request"] for each in (await api.client.get(RULES)).json()["rules"]]
