"""Personal tokens: shown once, scoped, expiring, one's own."""

import asyncio

import pytest
from sqlalchemy import text

from approval_api.identity.roles import Role
from approval_api.people import tokens


async def make(browser, **wanted):
    answer = await browser.ask("POST", "/me/tokens", json={"label": "ci", "scopes": ["read"], **wanted})
    return answer.json() if answer.status_code == 201 else answer.status_code


async def ask(api, secret, path="/me"):
    return await api.client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {secret}"})


async def test_a_tokens_secret_is_shown_once_and_stored_nowhere(browsers, engine, api):
    ada = await browsers("ada", Role.OPERATOR)
    made = await make(ada)
    assert (await ask(api, made["secret"])).json()["name"] == "ada"
    listed = (await ada.ask("GET", "/me/tokens")).text
    assert made["secret"] not in listed
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT * FROM gateway.api_tokens"))).all()
    assert made["secret"].removeprefix("drt_") not in repr(rows)


async def test_a_token_may_use_its_scopes_and_no_more(browsers, api):
    ada = await browsers("ada", Role.OPERATOR)
    me = (await ask(api, (await make(ada, scopes=["read", "run"]))["secret"])).json()
    assert me["permissions"] == ["read", "run"]
    assert me["csrf"] is None


async def test_a_token_shrinks_with_its_persons_roles(browsers, engine, api):
    ada = await browsers("ada", Role.OPERATOR)
    secret = (await make(ada, scopes=["read", "run"]))["secret"]
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.people SET roles = '{viewer}'"))
    assert (await ask(api, secret)).json()["permissions"] == ["read"]


async def test_nobody_makes_a_token_with_scopes_they_lack(browsers):
    ada = await browsers("ada", Role.OPERATOR)
    for scopes in (["decide"], ["read", "administer"], ["own_account"]):
        assert await make(ada, scopes=scopes) == 403
    assert await make(ada, scopes=[]) == 422
    assert await make(ada, days=367) == 422


@pytest.mark.whole_pool
async def test_requests_at_the_same_moment_make_no_more_tokens_than_a_person_may_have(
    browsers, monkeypatch, slow_after
):
    monkeypatch.setattr(tokens, "MAX_PER_PERSON", 1)
    slow_after(tokens, "list_of")
    ada = await browsers("ada", Role.OPERATOR)
    made = await asyncio.gather(*(make(ada) for _ in range(3)))
    assert sorted(one for one in made if isinstance(one, int)) == [409, 409]


async def test_no_token_makes_tokens(browsers, api):
    ada = await browsers("ada", Role.ADMIN)
    secret = (
        await make(ada, scopes=["read", "run", "decide", "collect", "administer"], collectors=["network"])
    )["secret"]
    answer = await api.client.post(
        "/api/v1/me/tokens",
        json={"label": "x", "scopes": ["read"]},
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 403
    assert (await ask(api, secret, "/people")).status_code == 200


async def test_a_token_is_told_what_would_help_it(browsers, api):
    """Not other roles, where they allow it: another token, or no token."""
    ada = await browsers("ada", Role.ADMIN)
    secret = (await make(ada))["secret"]
    for path, way in (
        ("/people", "this token's scopes; make one with it"),
        ("/me/tokens", "sign in in a browser"),
    ):
        refused = await ask(api, secret, path)
        assert refused.status_code == 403
        assert refused.json()["detail"].endswith(way)


async def test_a_program_is_told_what_would_help_it(api):
    """No administrator can change its roles, and none of them would give its token what no token has."""
    for refused, way in (
        (
            await api.client.get("/api/v1/people"),
            "; this program's roles (operator) do not give it. They are set in APPROVAL_TOKENS",
        ),
        (await api.client.post("/api/v1/people", json={}), ", which no token has; sign in in a browser"),
    ):
        assert refused.status_code == 403
        assert refused.json()["detail"].endswith(way)


async def test_an_expired_token_is_refused(browsers, engine, api):
    ada = await browsers("ada", Role.VIEWER)
    secret = (await make(ada))["secret"]
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.api_tokens SET expires_at = now()"))
    assert (await ask(api, secret)).status_code == 401


async def test_a_token_is_deleted_by_its_owner_or_an_administrator_and_nobody_else(browsers, api):
    ada, bob = await browsers("ada", Role.VIEWER), await browsers("bob", Role.VIEWER)
    root = await browsers("root", Role.ADMIN)
    first, second = await make(ada), await make(ada)
    foreign = await bob.ask("DELETE", f"/me/tokens/{first['token']['id']}")
    assert foreign.status_code == 404
    assert (await ask(api, first["secret"])).status_code == 200
    assert (await ada.ask("DELETE", f"/me/tokens/{first['token']['id']}")).status_code == 204
    assert (await ask(api, first["secret"])).status_code == 401
    people = (await root.ask("GET", "/people")).json()["people"]
    (ada_id,) = [person["id"] for person in people if person["name"] == "ada"]
    path = f"/people/{ada_id}/tokens/{second['token']['id']}"
    assert (await root.ask("DELETE", path)).status_code == 204
    assert (await ask(api, second["secret"])).status_code == 401


async def test_the_last_use_of_a_token_is_noted(browsers, api):
    ada = await browsers("ada", Role.VIEWER)
    made = await make(ada)
    assert made["token"]["last_used_at"] is None
    await ask(api, made["secret"])
    (token,) = (await ada.ask("GET", "/me/tokens")).json()["tokens"]
    assert token["last_used_at"] is not None
