"""A button of a page that sends no fields: what it does, which page it leads to, and its line in the log."""

from uuid import uuid4

import pytest
from made_deliveries import add_destination, approve_discoveries
from sqlalchemy import text
from stored_check import store_check
from wanted_rule import RULE

from approval_api.identity.roles import Role

WANTED = {"name": "one", "templates": ["small"]}
CHANNEL = {
    "name": "on-call",
    "kind": "webhook",
    "address": "https://hooks.example.com/x",
    "occasions": ["session_failed"],
}


@pytest.fixture
async def ada(browsers):
    return await browsers("ada", Role.ADMIN)


@pytest.fixture
def pressed(ada, engine):
    """Give `await pressed(path)`: the page it leads to, and the line: action, object, detail."""

    async def press(path):
        answer = await ada.client.post(path, data={"csrf_token": ada.csrf})
        assert answer.status_code == 303, answer.text
        async with engine.connect() as connection:
            line = (
                await connection.execute(text("SELECT * FROM gateway.audit_log ORDER BY id DESC LIMIT 1"))
            ).one()
        assert (line.outcome, line.actor, line.proof) == ("done", "ada", "cookie")
        return answer.headers["location"], (line.action, line.object, line.detail)

    return press


async def made(ada, path, **wanted):
    answer = await ada.ask("POST", path, json=wanted)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_buttons_of_deliveries(ada, pressed, engine):
    await approve_discoveries(engine, ("host", "192.0.2.1", "{}"))
    destination = f"/production/destinations/{await add_destination(engine, name='d', kind='ndjson')}"
    page, line = await pressed(f"{destination}/preview")
    first = page.rpartition("/")[2]
    assert page == f"/production/deliveries/{first}"
    assert line == ("preview_delivery", f"delivery {first}", "preview for d")
    assert await pressed(f"{page}/discard") == (page, ("discard_delivery", f"delivery {first}", None))
    page, _ = await pressed(f"{destination}/preview")
    second = page.rpartition("/")[2]
    assert await pressed(f"{page}/resend") == (page, ("resend_delivery", f"delivery {second}", None))
    led_to, (action, of, detail) = await pressed(f"{page}/approve")
    assert (led_to, action, of) == (page, "approve_delivery", f"delivery {second}")
    assert '"create":1' in detail
    states = [
        (await ada.ask("GET", f"/production/deliveries/{each}")).json()["state"] for each in (first, second)
    ]
    assert states == ["discarded", "done"]
    of = f"destination {destination.rpartition('/')[2]}"
    assert await pressed(f"{destination}/remove") == (
        "/production/deliveries",
        ("remove_destination", of, None),
    )
    assert (await ada.ask("GET", "/production/destinations")).json() == {"destinations": []}


async def test_a_button_has_a_destination_checked(ada, pressed, engine):
    wanted = {"kind": "netbox", "url": "https://netbox.example.com", "credential": "netbox"}
    destination = await add_destination(engine, name="d", **wanted)
    page, line = await pressed(f"/production/destinations/{destination}/check")
    assert (page, line) == ("/production/deliveries", ("check_destination", "destination d", None))
    assert "not yet checked" in (await ada.client.get(page)).text


async def test_buttons_of_rules(ada, pressed):
    rule = await made(ada, "/production/rules", **RULE)
    page = f"/production/rules/{rule['id']}"
    of = f"rule lab {rule['id']}"
    assert await pressed(f"{page}/off") == (page, ("switch_rule_off", of, None))
    led_to, (action, named, detail) = await pressed(f"{page}/remove")
    assert (led_to, action, named) == ("/production/rules", "remove_rule", of)
    assert '"name":"lab"' in detail
    assert (await ada.ask("GET", "/production/rules")).json() == {"rules": []}


async def test_buttons_of_ones_own_account_and_of_people(ada, pressed, browsers, engine):
    channel = (await made(ada, "/me/channels", **CHANNEL))["channel"]["id"]
    own = f"/notifications/{channel}"
    assert await pressed(f"{own}/test") == ("/notifications", ("test_channel", f"channel {channel}", None))
    assert [each["waiting"] for each in (await ada.ask("GET", "/me/channels")).json()["channels"]] == [1]
    assert await pressed(f"{own}/remove") == (
        "/notifications",
        ("remove_channel", f"channel {channel}", None),
    )
    assert (await ada.ask("GET", "/me/channels")).json() == {"channels": []}

    token = (await made(ada, "/me/tokens", label="t", scopes=["read"]))["token"]["id"]
    assert await pressed(f"/account/tokens/{token}/remove") == ("/account", ("remove_token", token, None))
    assert (await ada.ask("GET", "/me/tokens")).json() == {"tokens": []}

    eve = await browsers("eve", Role.VIEWER)
    token = (await made(eve, "/me/tokens", label="t", scopes=["read"]))["token"]["id"]
    async with engine.connect() as connection:
        person = await connection.scalar(text("SELECT id FROM gateway.people WHERE name = 'eve'"))
    page = f"/people/{person}"
    assert await pressed(f"{page}/tokens/{token}/remove") == (
        page,
        ("remove_token_of", f"{person}/{token}", None),
    )
    assert (await eve.ask("GET", "/me/tokens")).json() == {"tokens": []}


async def test_buttons_of_sessions_experiments_and_schedules(ada, pressed):
    session = (await made(ada, "/dryrun/sessions", template="small"))["id"]
    page = f"/dryrun/sessions/{session}"
    assert await pressed(f"{page}/stop") == (page, ("stop_session", session, None))

    experiment = (await made(ada, "/dryrun/experiments", **WANTED))["id"]
    page = f"/dryrun/experiments/{experiment}"
    assert await pressed(f"{page}/stop") == (page, ("stop_experiment", experiment, None))
    assert (await ada.ask("GET", page)).json()["state"] == "stopped"
    assert await pressed(f"{page}/continue") == (page, ("continue_experiment", experiment, None))
    assert (await ada.ask("GET", page)).json()["state"] == "running"

    schedule = (await made(ada, "/dryrun/schedules", cron="30 2 * * *", experiment=WANTED))["id"]
    page = f"/dryrun/schedules/{schedule}"
    assert await pressed(f"{page}/pause") == (page, ("pause_schedule", schedule, None))
    assert (await ada.ask("GET", page)).json()["paused_because"] == "paused by ada"
    assert await pressed(f"{page}/resume") == (page, ("resume_schedule", schedule, None))
    assert (await ada.ask("GET", page)).json()["paused_because"] is None
    assert await pressed(f"{page}/remove") == (
        "/dryrun/schedules",
        ("remove_schedule", schedule, None),
    )
    assert (await ada.ask("GET", page)).status_code == 404


async def test_buttons_of_checks_and_criteria(ada, pressed, engine):
    session = (await made(ada, "/dryrun/sessions", template="small"))["id"]
    check = await store_check(engine, session)
    removed = "check of small by ada: 2 of 3 within"
    page = f"/dryrun/checks/{check}"
    assert await pressed(f"{page}/remove") == ("/dryrun/checks", ("remove_check", check, removed))
    assert (await ada.ask("GET", page)).status_code == 404

    stored = await ada.ask("PUT", "/dryrun/criteria/sets/nightly", json={"false_positives_max": 3})
    assert stored.status_code == 200, stored.text
    assert await pressed("/dryrun/criteria/nightly/remove") == (
        "/dryrun/criteria",
        ("remove_criteria", "nightly", None),
    )
    assert (await ada.ask("GET", "/dryrun/criteria/sets/nightly")).status_code == 404


async def test_a_button_of_another_site_or_of_what_is_not_there_changes_nothing(ada, engine):
    rule = await made(ada, "/production/rules", **RULE)
    forged = await ada.client.post(f"/production/rules/{rule['id']}/remove", data={"csrf_token": "x"})
    assert forged.status_code == 403
    unknown = await ada.client.post(
        f"/production/rules/{uuid4()}/remove", data={"csrf_token": ada.csrf}, headers={"Accept": "text/html"}
    )
    assert unknown.status_code == 404
    assert "Unknown rule" in unknown.text
    no_id = await ada.client.post("/production/rules/x/remove", data={"csrf_token": ada.csrf})
    assert (no_id.status_code, no_id.json()["faults"][0]["where"]) == (422, "path.rule_id")
    assert len((await ada.ask("GET", "/production/rules")).json()["rules"]) == 1
    async with engine.connect() as connection:
        lines = await connection.execute(
            text("SELECT outcome FROM gateway.audit_log WHERE action = 'remove_rule'")
        )
        assert [line.outcome for line in lines] == ["refused"] * 3


async def test_a_refusal_that_is_shown_as_a_part_of_a_page_is_no_done_command(browsers, engine):
    eve = await browsers("eve", Role.VIEWER)
    scripted = {"Accept": "text/html", "HX-Request": "true"}
    answer = await eve.client.post(
        f"/production/rules/{uuid4()}/remove", data={"csrf_token": eve.csrf}, headers=scripted
    )
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (200, "#toast")
    async with engine.connect() as connection:
        lines = await connection.execute(
            text("SELECT outcome, detail FROM gateway.audit_log WHERE action = 'remove_rule'")
        )
        assert [tuple(line) for line in lines] == [("refused", "urn:dryrun:problem:forbidden")]
