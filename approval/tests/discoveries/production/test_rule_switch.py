"""A rule is switched on as it was previewed, approves so much in a day, and stops."""

import asyncio

import pytest
from made_rules import HOST, PROGRAMS, RULE, RULES, WEB, lines, make, report, states, switch_on
from sqlalchemy import text

from approval_api.access import large_answers
from approval_api.discoveries.production import rules
from approval_api.identity.roles import Role
from dryrun_serving.ceiling import Ceiling


@pytest.fixture
def programs():
    return PROGRAMS


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


@pytest.mark.whole_pool
@pytest.mark.parametrize(
    ("most", "digest", "why"), [(5, "0" * 64, "preview-outdated"), (1, None, "too-many-matches")]
)
async def test_what_is_refused_waits_for_no_report_and_keeps_none_waiting(api, engine, most, digest, why):
    """Whoever repeats it in vain would lock thousands of rows, which collectors report meanwhile."""
    rule = await make(api, most_a_day=most)
    await report(api, WEB, HOST)
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    assert preview["matching"] == 2
    async with engine.begin() as connection:
        await connection.execute(text("SELECT id FROM gateway.discoveries FOR UPDATE"))
        async with asyncio.timeout(5):
            refused = await api.client.post(
                f"{RULES}/{rule['id']}/on", json={"preview": digest or preview["digest"]}
            )
    assert (refused.status_code, refused.json()["type"]) == (409, f"urn:dryrun:problem:{why}")


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
