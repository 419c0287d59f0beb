"""Rules approve what they name, as they were previewed, and nothing that is worded cleverly."""

import asyncio
from itertools import takewhile

import pytest
from sqlalchemy import text

from approval_api.access import large_answers
from approval_api.discoveries.production import rules
from approval_api.identity.roles import Role
from dryrun_serving.ceiling import Ceiling

PATH = "/api/v1/production/discoveries"
RULES = "/api/v1/production/rules"
SCANS = "/api/v1/production/scans"
LAB = {"Authorization": "Bearer lab-token-of-the-tests"}
RULE = {
    "name": "lab-web",
    "collectors": ["network"],
    "reporters": ["program:lab"],
    "kinds": ["service", "host"],
    "subnets": ["192.0.2.0/24", "2001:db8::/64"],
    "min_confidence": 0.9,
    "attributes": {"product": ["nginx", "Apache httpd"], "version": "any"},
}
WEB = {
    "kind": "service",
    "key": "192.0.2.8:443/tcp",
    "data": {"product": "nginx", "version": "1.26.3"},
    "confidence": 0.95,
}
HOST = {"kind": "host", "key": "192.0.2.9", "data": {"names": ["a"]}, "confidence": 1}


@pytest.fixture
def programs():
    return "lab/operator/network+database:lab-token-of-the-tests,ada/approver"


async def report(api, *discoveries, collector="network", headers=LAB, cut_off=False):
    body = {"collector": collector, "discoveries": discoveries, "cut_off": cut_off}
    answer = await api.client.post(PATH, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["approved"]


async def make(api, **changes):
    answer = await api.client.post(RULES, json=RULE | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def switch_on(api, rule):
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    answer = await api.client.post(f"{RULES}/{rule['id']}/on", json={"preview": preview["digest"]})
    assert answer.status_code == 200, answer.text
    return preview


async def listed(api):
    answer = await api.client.get(PATH, params={"sort": "oldest"})
    return answer.json()["discoveries"]


async def states(api):
    return {row["key"]: row["status"] for row in await listed(api)}


async def decide(api, decision, row):
    body = {"decision": decision, "discoveries": [{"id": row["id"], "revision": row["revision"]}]}
    assert (await api.client.post(f"{PATH}/decisions", json=body)).json()["decided"]


async def lines(engine, action):
    async with engine.connect() as connection:
        found = await connection.execute(
            text(
                "SELECT actor, object, detail, request_id FROM gateway.audit_log "
                "WHERE action = :a ORDER BY id"
            ),
            {"a": action},
        )
        return [tuple(row) for row in found]


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


async def test_it_is_switched_on_only_as_it_was_previewed(api):
    rule = await make(api)
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    await report(api, WEB)
    refused = await api.client.post(f"{RULES}/{rule['id']}/on", json={"preview": preview["digest"]})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:dryrun:problem:preview-outdated")
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    await report(api, WEB | {"data": {"product": "nginx", "version": "2"}})
    refused = await api.client.post(f"{RULES}/{rule['id']}/on", json={"preview": preview["digest"]})
    assert refused.status_code == 409
    assert await states(api) == {WEB["key"]: "pending"}


async def test_more_than_it_may_in_a_day_switches_it_off_and_approves_nothing(api, engine):
    rule = await make(api, most_a_day=3)
    await switch_on(api, rule)
    assert await report(api, *(HOST | {"key": f"192.0.2.{n}"} for n in (1, 2))) == 2
    assert await report(api, *(HOST | {"key": f"192.0.2.{n}"} for n in (3, 4))) == 0
    shown = (await api.client.get(f"{RULES}/{rule['id']}")).json()
    assert (shown["on_since"], shown["off_because"]) == (
        None,
        "it would have approved 4 in a day, more than 3",
    )
    assert (await lines(engine, "stop_rule"))[0][0] == "rule:lab-web"
    await report(api, *(HOST | {"key": f"192.0.2.{n}"} for n in (5, 6, 7)))
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    refused = await api.client.post(f"{RULES}/{rule['id']}/on", json={"preview": preview["digest"]})
    assert refused.json()["type"] == "urn:dryrun:problem:too-many-matches"


async def test_it_stops_when_its_maker_may_no_longer_decide(api, browsers, engine):
    grace = await browsers("grace", Role.APPROVER)
    rule = (await grace.ask("POST", "/production/rules", json=RULE)).json()
    await switch_on(api, rule)
    assert await report(api, WEB) == 1
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.people SET roles = '{viewer}' WHERE name = 'grace'"))
    assert await report(api, HOST) == 0
    shown = (await api.client.get(f"{RULES}/{rule['id']}")).json()
    assert shown["off_because"] == "grace may no longer decide"


async def test_nobody_makes_or_switches_on_a_rule_for_their_own_reports(api, browsers):
    eve = await browsers("eve", Role.ADMIN)
    own = RULE | {"reporters": ["eve"]}
    refused = await eve.ask("POST", "/production/rules", json=own)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:dryrun:problem:own-reports")
    rule = await make(api, reporters=["eve"])
    preview = (await eve.ask("GET", f"/production/rules/{rule['id']}/preview")).json()
    switch = {"preview": preview["digest"]}
    refused = await eve.ask("POST", f"/production/rules/{rule['id']}/on", json=switch)
    assert refused.status_code == 409


async def test_a_persons_token_switches_none_on_which_would_outlive_it(api, browsers):
    grace = await browsers("grace", Role.APPROVER)
    made = (await grace.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["read", "decide"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    rule = await make(api)
    switch = {"preview": (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()["digest"]}
    refused = await api.client.post(f"{RULES}/{rule['id']}/on", json=switch, headers=token)
    assert (refused.status_code, "sign in" in refused.json()["detail"]) == (403, True)
    assert (await grace.ask("POST", f"/production/rules/{rule['id']}/on", json=switch)).status_code == 200
    assert (await api.client.post(f"{RULES}/{rule['id']}/off", headers=token)).status_code == 200


async def test_previews_and_scans_take_their_turn(api, monkeypatch):
    rule = await make(api)
    monkeypatch.setattr(large_answers, "PLACE_SECONDS", 0.01)
    monkeypatch.setitem(api.app.state.large_answers, "lists", Ceiling(0, 0))
    for path in (
        f"{RULES}/{rule['id']}/preview",
        "/api/v1/production/scans",
        f"/production/rules/{rule['id']}",
    ):
        answer = await api.client.get(path)
        assert answer.status_code == 503, path


async def test_off_and_removed_it_approves_nothing_and_what_it_approved_stays(api):
    rule = await make(api)
    await switch_on(api, rule)
    await report(api, WEB)
    off = (await api.client.post(f"{RULES}/{rule['id']}/off")).json()
    assert (off["on_since"], off["off_because"]) == (None, "switched off by program:ada")
    assert await report(api, HOST) == 0
    assert (await api.client.delete(f"{RULES}/{rule['id']}")).status_code == 204
    assert (await api.client.get(RULES)).json() == {"rules": []}
    assert await states(api) == {WEB["key"]: "approved", HOST["key"]: "pending"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": ["everything"]},
        {"kinds": []},
        {"subnets": []},
        {"subnets": ["everywhere"]},
        {"collectors": []},
        {"reporters": []},
        {"attributes": {"columns": "any"}},
        {"attributes": {"product": []}},
        {"attributes": {"product": "some"}},
        {"min_confidence": 1.1},
        {"most_a_day": 0},
        {"name": "Rule: all"},
        {"decision": "rejected"},
    ],
    ids=str,
)
async def test_a_rule_names_everything(api, wrong):
    assert (await api.client.post(RULES, json=RULE | wrong)).status_code == 422
    for name in ("collectors", "reporters", "kinds", "subnets", "min_confidence"):
        body = {key: value for key, value in RULE.items() if key != name}
        assert (await api.client.post(RULES, json=body)).status_code == 422


async def test_there_are_so_many_rules_and_no_more(api, monkeypatch):
    monkeypatch.setattr(rules, "MOST_RULES", 1)
    await make(api)
    refused = await api.client.post(RULES, json=RULE | {"name": "one-more"})
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:dryrun:problem:too-many-rules")


async def test_a_name_is_used_once(api):
    await make(api)
    assert (await api.client.post(RULES, json=RULE)).status_code == 409


@pytest.mark.whole_pool
async def test_reports_at_the_same_moment_share_the_most_of_a_day(api):
    rule = await make(api, collectors=["network", "database"], most_a_day=5)
    await switch_on(api, rule)
    hosts = [HOST | {"key": f"192.0.2.{number}"} for number in range(1, 5)]
    approved = await asyncio.gather(
        *(report(api, *hosts, collector=collector) for collector in ("network", "database"))
    )
    assert sorted(approved) == [0, 4]
    assert list((await states(api)).values()).count("approved") <= 5
    shown = (await api.client.get(f"{RULES}/{rule['id']}")).json()
    assert (shown["approved"], shown["on_since"]) == (4, None)


@pytest.mark.whole_pool
async def test_switching_on_while_reports_arrive_ends(api):
    rule = await make(api, most_a_day=10_000)
    await report(api, *(HOST | {"key": f"192.0.2.{number}"} for number in range(1, 100)))

    async def switch():
        preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
        return await api.client.post(f"{RULES}/{rule['id']}/on", json={"preview": preview["digest"]})

    reports = [report(api, HOST | {"key": f"192.0.2.{number}"}) for number in range(100, 120)]
    switched, *_ = await asyncio.gather(switch(), *reports)
    assert switched.status_code in {200, 409}
    if switched.status_code == 409:
        assert (await switch()).status_code == 200
    await report(api, *(HOST | {"key": f"192.0.2.{number}"} for number in range(1, 120)))
    assert set((await states(api)).values()) == {"approved"}


@pytest.mark.whole_pool
async def test_a_rule_is_removed_once(api, engine, slow_after):
    rule = await make(api)
    slow_after(rules, "require")
    answers = await asyncio.gather(*(api.client.delete(f"{RULES}/{rule['id']}") for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [204, 404]
    async with engine.connect() as connection:
        done = text(
            "SELECT count(*) FROM gateway.audit_log WHERE action = 'remove_rule' AND outcome = 'done'"
        )
        assert await connection.scalar(done) == 1
