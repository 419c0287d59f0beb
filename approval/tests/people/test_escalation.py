"""No token becomes more than it is: over every route, nothing that a token does yields a login or a token."""

import pytest
from approval_routes import BODIES, PATH_VALUES, ROUTES
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.identity.program_token import ProgramToken
from approval_api.identity.roles import LOGIN_ONLY, SCOPES, Permission, Role

PROOFS = {
    "people": "id, name, roles, active, password_hash, issuer, subject, confirmed_at",
    "invitations": "*",
    "logins": "id_sha256, person_id",
    "known_browsers": "*",
    "api_tokens": "id, person_id, scopes, collectors, expires_at",
}
"""What somebody could come in by, or come in as more by."""
FORMS = {
    "/people": {"name": "made-by-a-token", "role": "admin"},
    "/people/{person_id}": {"role": "admin", "active": "yes"},
    "/account/tokens": {"label": "x", "scope": "administer", "days": "366"},
    "/account/password": {"current": "several words of nobody", "new": "other words of somebody"},
}
OWN = {
    ("POST", "/api/v1/people"): {"name": "made-by-a-token", "roles": ["admin"]},
    ("PATCH", "/api/v1/people/{person_id}"): {"roles": ["admin", "operator"]},
    ("PUT", "/api/v1/me/password"): {"current": "several words of nobody", "new": "other words of somebody"},
    ("POST", "/api/v1/me/tokens"): {"label": "x", "scopes": ["administer"], "days": 366},
}


async def proofs(engine):
    async with engine.connect() as connection:
        return {
            table: sorted(map(repr, await connection.execute(text(f"SELECT {columns} FROM gateway.{table}"))))
            for table, columns in PROOFS.items()
        }


async def try_every_route(client, given, headers):
    """Ask every route but those that end something, with a body that would yield as much as it can."""
    for (method, path), permission in ROUTES.items():
        if permission is None or method == "DELETE" or path.endswith(("/remove", "/live", "/events")):
            continue
        concrete = path.replace(":path", "").replace(":int", "").format(**given)
        body = OWN.get((method, path), BODIES.get((method, path)))
        form = FORMS.get(path) if method == "POST" else None
        sent = {"data": form} if form else {"json": body}
        answer = await client.request(method, concrete, headers=headers, **sent)
        assert "set-cookie" not in answer.headers, (method, path)
        assert "secret" not in answer.text or method == "GET", (method, path, answer.text)


@pytest.fixture
async def given(engine, api, browsers):
    root = await browsers("root", Role.ADMIN)
    async with engine.connect() as connection:
        person_id = await connection.scalar(text("SELECT id FROM gateway.people"))
    secret = (
        await root.ask(
            "POST",
            "/me/tokens",
            json={"label": "all", "scopes": sorted(SCOPES), "collectors": ["network"], "days": 1},
        )
    ).json()
    return root, {
        "session_id": await api.start(),
        "person_id": str(person_id),
        "token_id": secret["token"]["id"],
        "template_id": "small",
        "name": "x",
        **PATH_VALUES,
        "secret": secret["secret"],
    }


async def test_an_administrators_token_yields_no_way_in(given, api, engine):
    _, given = given
    before = await proofs(engine)
    await try_every_route(api.client, given, {"Authorization": f"Bearer {given['secret']}"})
    assert await proofs(engine) == before


async def test_an_administrators_program_token_yields_no_way_in_either(given, api, engine, settings):
    _, given = given
    program = ProgramToken.parse("robot/admin+operator+approver/network:the-token-of-a-robot")
    everything = settings.model_copy(update={"tokens": (program,)})
    api.app.state.program_tokens = create_app(everything).state.program_tokens
    before = await proofs(engine)
    await try_every_route(api.client, given, {"Authorization": "Bearer the-token-of-a-robot"})
    assert await proofs(engine) == before


async def test_the_same_routes_do_yield_it_to_a_login(given, engine):
    """What the two tests above try is not in vain."""
    root, given = given
    before = await proofs(engine)
    for route, body in OWN.items():
        await root.ask(
            route[0],
            route[1].removeprefix("/api/v1").format(**given),
            json=body,
        )
    after = await proofs(engine)
    assert all(after[table] != before[table] for table in ("people", "invitations", "api_tokens"))


async def test_a_tokens_refusal_says_that_only_a_login_may(given, api):
    _, given = given
    headers = {"Authorization": f"Bearer {given['secret']}"}
    answer = await api.client.post(f"/api/v1/people/{given['person_id']}/invitation", headers=headers)
    assert answer.status_code == 403
    assert "no token has" in answer.json()["detail"]


def test_a_permission_that_yields_a_credential_is_not_a_scope():
    assert not LOGIN_ONLY & SCOPES
    assert set(Permission) == LOGIN_ONLY | SCOPES
    yielding = {
        permission for (_, path), permission in ROUTES.items() if path.endswith(("/invitation", "/password"))
    }
    assert yielding - {None} <= LOGIN_ONLY


async def test_an_expired_token_stays_expired_whatever_its_scopes(given, api, engine):
    _, given = given
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.api_tokens SET expires_at = now()"))
    before = await proofs(engine)
    await try_every_route(api.client, given, {"Authorization": f"Bearer {given['secret']}"})
    assert await proofs(engine) == before
