"""Channels by the API and by the page: one's own only, by a login only, a signing key shown once."""

import asyncio

import pytest
from sqlalchemy import text

from approval_api.identity.roles import Role
from approval_api.notifications import repository

WANTED = {
    "name": "on-call",
    "kind": "webhook",
    "address": "https://hooks.example.com/x",
    "occasions": ["session_failed"],
}


@pytest.fixture
async def ada(browsers):
    return await browsers("ada", Role.VIEWER)


async def test_a_channel_is_added_tried_and_removed(ada, engine):
    made = (await ada.ask("POST", "/me/channels", json=WANTED)).json()
    assert made["signing_key"].startswith("whsec_")
    path = f"/me/channels/{made['channel']['id']}"
    listed = await ada.ask("GET", "/me/channels")
    assert [each["request"]["name"] for each in listed.json()["channels"]] == ["on-call"]
    assert "whsec_" not in listed.text
    for _ in range(2):
        tried = await ada.ask("POST", f"{path}/test")
        assert (tried.status_code, tried.json()["waiting"]) == (202, 1)
    assert (await ada.ask("DELETE", path)).status_code == 204
    assert (await ada.ask("GET", "/me/channels")).json() == {"channels": []}
    async with engine.connect() as connection:
        actions = await connection.execute(
            text("SELECT action FROM gateway.audit_log WHERE outcome = 'done'")
        )
        assert {"add_channel", "test_channel", "remove_channel"} <= {row.action for row in actions}
        details = await connection.execute(
            text("SELECT coalesce(detail, '') AS detail FROM gateway.audit_log")
        )
        assert all("whsec_" not in row.detail for row in details)


async def test_anothers_channel_is_unknown_and_no_token_has_any(ada, browsers):
    made = (await ada.ask("POST", "/me/channels", json=WANTED)).json()
    eve = await browsers("eve", Role.ADMIN)
    path = f"/me/channels/{made['channel']['id']}"
    assert (await eve.ask("GET", "/me/channels")).json() == {"channels": []}
    assert (await eve.ask("POST", f"{path}/test")).status_code == 404
    assert (await eve.ask("DELETE", path)).status_code == 404
    token = (await eve.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read"]})).json()["secret"]
    eve.client.cookies.clear()
    by_token = {"Authorization": f"Bearer {token}"}
    assert (await eve.ask("GET", "/me/channels", headers=by_token)).status_code == 403


async def test_ten_channels_are_the_most_and_a_zone_has_to_exist(ada):
    refused = await ada.ask("POST", "/me/channels", json={**WANTED, "timezone": "Europe/Nowhere"})
    assert (refused.status_code, refused.json()["faults"][0]["where"]) == (422, "body.timezone")
    for _ in range(10):
        assert (await ada.ask("POST", "/me/channels", json=WANTED)).status_code == 201
    assert (await ada.ask("POST", "/me/channels", json=WANTED)).status_code == 429


async def test_the_page_does_the_same_and_shows_the_key_once(ada):
    form = {**WANTED, "csrf_token": ada.csrf, "quiet_from": "22:00", "quiet_to": "06:00", "everybody": "yes"}
    made = await ada.client.post("/notifications", data=form)
    assert (made.status_code, "whsec_" in made.text) == (200, True)
    assert made.headers["cache-control"] == "no-store"
    shown = await ada.client.get("/notifications")
    assert "whsec_" not in shown.text
    assert "22:00 to 06:00" in shown.text
    (channel,) = (await ada.ask("GET", "/me/channels")).json()["channels"]
    for action in ("test", "remove"):
        answer = await ada.client.post(
            f"/notifications/{channel['id']}/{action}", data={"csrf_token": ada.csrf}
        )
        assert answer.status_code == 303
    assert "No channel yet" in (await ada.client.get("/notifications")).text


async def test_a_channel_of_another_version_is_named_to_its_owner_and_can_be_removed(ada, engine):
    made = (await ada.ask("POST", "/me/channels", json=WANTED)).json()["channel"]["id"]
    kept = (await ada.ask("POST", "/me/channels", json={**WANTED, "name": "kept"})).json()["channel"]["id"]
    assert "Another version" not in (await ada.client.get("/notifications")).text
    async with engine.begin() as connection:
        await connection.execute(
            text("""UPDATE gateway.channels SET request = request || '{"kind": "pigeon"}' WHERE id = :id"""),
            {"id": made},
        )
    shown = (await ada.client.get("/notifications")).text
    assert f"stored a channel of yours ({made[:8]})" in shown
    assert kept[:8] not in shown.split("<table")[0]
    removed = await ada.client.post(f"/notifications/{made}/remove", data={"csrf_token": ada.csrf})
    assert removed.status_code == 303
    assert "Another version" not in (await ada.client.get("/notifications")).text


@pytest.mark.whole_pool
async def test_of_two_requested_tests_of_a_channel_one_waits(ada, slow_after):
    made = (await ada.ask("POST", "/me/channels", json=WANTED)).json()
    slow_after(repository, "request_test")
    path = f"/me/channels/{made['channel']['id']}/test"
    answers = await asyncio.gather(*(ada.ask("POST", path) for _ in range(3)))
    assert [(answer.status_code, answer.json()["waiting"]) for answer in answers] == [(202, 1)] * 3
