"""Permissions are judged by a request's head, and again once what took long of it is there."""

import asyncio
import json
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from approval_api.access import permission
from approval_api.access.turns import AT_ONCE
from approval_api.identity.roles import Role

API = "/api/v1/production/discoveries/decisions"
PAGE = "/production/discoveries"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SEEN = {"decision": "rejected", "discoveries": [{"id": 1, "revision": 1}]}


async def change(engine, statement):
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def lose_the_role(engine):
    await change(engine, "UPDATE gateway.people SET roles = '{viewer}'")


async def be_locked_out(engine):
    await change(engine, "UPDATE gateway.people SET active = false")


async def end_the_login(engine):
    await change(engine, "DELETE FROM gateway.logins")


async def lose_nothing(_):
    pass


async def send_slowly(client, path, headers, body, meanwhile):
    """Send a request's head and a part of its body, the rest after `meanwhile`; return the answer."""

    async def parts():
        yield body[:5]
        await asyncio.sleep(2 * permission.ADMITTED_SECONDS)
        await meanwhile
        # Whoever was looked up before has been admitted for longer than that now.
        await asyncio.sleep(2 * permission.ADMITTED_SECONDS)
        yield body[5:]

    sized = {**headers, "Content-Length": str(len(body))}
    return await client.post(path, content=parts(), headers=sized)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    assert permission.ADMITTED_SECONDS <= 1
    monkeypatch.setattr(permission, "ADMITTED_SECONDS", 0.05)


@pytest.mark.parametrize("sent", ["json", "form", "form with a header"])
@pytest.mark.parametrize(
    ("meanwhile", "status"),
    [(lose_the_role, 403), (be_locked_out, 401), (end_the_login, 401), (lose_nothing, 200)],
)
async def test_who_sends_a_body_slowly_gains_no_time_when_a_right_is_withdrawn(
    browsers, engine, sent, meanwhile, status
):
    ada = await browsers("ada", Role.APPROVER)
    token = {"X-CSRF-Token": ada.csrf}
    fields = {"decision": "rejected", "seen": "1:1", "note": "x" * 50}
    path, headers, body = {
        "json": (API, JSON | token, json.dumps(SEEN)),
        "form": (PAGE, FORM, urlencode(fields | {"csrf_token": ada.csrf})),
        "form with a header": (PAGE, FORM | token, urlencode(fields)),
    }[sent]
    answer = await send_slowly(ada.client, path, headers, body.encode(), meanwhile(engine))
    assert answer.status_code == (303 if status == 200 and sent != "json" else status)
    async with engine.connect() as connection:
        outcomes = text("SELECT outcome FROM gateway.audit_log WHERE action LIKE 'decide%'")
        written = list((await connection.execute(outcomes)).scalars())
    assert written == ["done" if status == 200 else "refused"]


async def test_a_token_that_is_removed_while_its_body_arrives_does_nothing(browsers, engine, api):
    ada = await browsers("ada", Role.APPROVER)
    made = await ada.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["decide"]})
    shown = {**JSON, "Authorization": f"Bearer {made.json()['secret']}"}
    removed = change(engine, "DELETE FROM gateway.api_tokens")
    answer = await send_slowly(api.client, API, shown, json.dumps(SEEN).encode(), removed)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:dryrun:problem:unauthenticated")


async def test_who_waits_for_a_turn_is_looked_up_again(browsers, engine, api):
    ada = await browsers("ada", Role.APPROVER)
    async with api.app.state.turns.taken("ada"), asyncio.TaskGroup() as group:
        turns = [api.app.state.turns.taken("ada") for _ in range(AT_ONCE - 1)]
        for turn in turns:
            await turn.__aenter__()
        waiting = group.create_task(ada.client.post(API, json=SEEN, headers={"X-CSRF-Token": ada.csrf}))
        await asyncio.sleep(0.1)
        await be_locked_out(engine)
    for turn in turns:
        await turn.__aexit__(None, None, None)
    assert waiting.result().status_code == 401
