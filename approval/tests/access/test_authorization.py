"""Every route, every role, another person's object: who gets in is exactly what the table says."""

import re
from collections.abc import Iterator

import pytest
from approval_routes import BODIES, DRYRUN, NO_PERSONS_TOKEN, OPEN, OWN_ACCOUNT, PATH_VALUES, READ, ROUTES
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import text

from approval_api.access.permission import Requires, open_to_all
from approval_api.app import create_app
from approval_api.identity.roles import PERMISSIONS, SCOPES, Permission, Role

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""On every answer of every route, refusals and errors among them."""
STRICT = re.compile(r"default-src 'none'(?!.*script-src[^;]*'unsafe)")
NOT_PERMITTED = {"urn:dryrun:problem:unauthenticated", "urn:dryrun:problem:forbidden"}


def declared(dependant: Dependant) -> Iterator[Permission | None]:
    for each in dependant.dependencies:
        if isinstance(each.call, Requires):
            yield each.call.permission
        elif each.call is open_to_all:
            yield OPEN
        yield from declared(each)


def routes_of(app: FastAPI) -> dict[tuple[str, str], list[Permission | None]]:
    found = {}
    for route in iter_route_contexts(app.routes):
        if route.path == app.openapi_url:
            continue
        assert isinstance(route.original_route, APIRoute), f"{route.path} is no route that can declare"
        for method in route.methods - {"HEAD"}:
            found[method, route.path] = list(declared(route.dependant))
    return found


def test_every_route_names_one_permission_and_it_is_the_tables(settings):
    routes = routes_of(create_app(settings))
    assert {route: given for route, given in routes.items() if len(given) != 1} == {}
    assert {route: given[0] for route, given in routes.items()} == ROUTES


def test_no_route_deletes_what_was_found():
    removing = {
        path
        for method, path in ROUTES
        if method == "DELETE" or path.endswith(("/remove", "/delete", "/withdraw"))
    }
    assert len(removing) > 5
    kept = ("/sessions", "/experiments", "/discoveries", "/scans", "/report")
    assert [path for path in removing if any(noun in path for noun in kept)] == []


def test_without_dryruns_nothing_else_becomes_open(settings):
    routes = routes_of(create_app(settings.model_copy(update={"dryrun": "off"})))
    for (method, path), given in routes.items():
        off = path.startswith((DRYRUN, "/dryrun"))
        assert given == [OPEN if off else ROUTES[method, path]]


def test_every_role_and_permission_has_its_place():
    assert set(PERMISSIONS) == set(Role)
    assert PERMISSIONS[Role.ADMIN] == set(Permission)
    assert PERMISSIONS[Role.VIEWER] == {READ, OWN_ACCOUNT}
    assert not PERMISSIONS[Role.OPERATOR] & {Permission.DECIDE, Permission.ADMINISTER}
    assert not PERMISSIONS[Role.APPROVER] & {Permission.RUN, Permission.COLLECT, Permission.ADMINISTER}


@pytest.fixture
async def anothers(browsers, engine, api):
    """Objects of somebody else, and of nobody in particular."""
    victim = await browsers("victim", Role.VIEWER)
    token = (await victim.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read"]})).json()
    async with engine.begin() as connection:
        victim_id = await connection.scalar(text("SELECT id FROM gateway.people WHERE name = 'victim'"))
    return {
        "session_id": await api.start(),
        "person_id": str(victim_id),
        "token_id": token["token"]["id"],
        "template_id": "small",
        **PATH_VALUES,
    }


def token_for(*scopes):
    return {"label": "t", "scopes": scopes, "collectors": ["network"] if "collect" in scopes else []}


async def ask(client, route, anothers, **headers):
    method, path = route
    given = path.replace(":path", "").replace(":int", "").format(**anothers, version="x", name="x")
    async with client.stream(method, given, json=BODIES.get(route), headers=headers) as answer:
        # A stream of a session goes on until the session ends: who got one was let in.
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
    return answer


def is_permitted(answer) -> bool:
    if answer.headers.get("content-type") != "application/problem+json":
        return True
    return answer.json()["type"] not in NOT_PERMITTED


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("proof", ["cookie", "token"])
async def test_a_role_reaches_exactly_its_routes(browsers, anothers, role, proof):
    if role is None:
        asking, headers, allowed = await browsers(""), {}, frozenset()
    else:
        asking = await browsers("asking", role)
        headers, allowed = {"X-CSRF-Token": asking.csrf}, PERMISSIONS[role]
        if proof == "token":
            scopes = sorted(PERMISSIONS[role] & SCOPES)
            made = await asking.ask("POST", "/me/tokens", json=token_for(*scopes))
            asking.client.cookies.clear()
            headers, allowed = {"Authorization": f"Bearer {made.json()['secret']}"}, allowed & SCOPES
    # What ends the login or the victim comes last.
    for route in sorted(ROUTES, key=lambda route: (route[0] in {"PATCH", "DELETE"}, route[1].endswith("t"))):
        permission = ROUTES[route]
        answer = await ask(asking.client, route, anothers, **headers)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, route
        assert STRICT.search(answer.headers["content-security-policy"]), route
        expected = permission is OPEN or permission in allowed
        if proof == "token" and route in NO_PERSONS_TOKEN:
            expected = False
        assert is_permitted(answer) == expected, (route, answer.status_code, answer.text)
        if not expected:
            assert answer.status_code == (401 if role is None else 403)
        if route[1] in {"/api/v1/logout", "/sign-out"} and expected:
            await asking.sign_in()
            headers = {"X-CSRF-Token": asking.csrf}


@pytest.mark.parametrize("role", Role)
async def test_nobody_reaches_anothers_token_by_the_own_account_routes(browsers, anothers, engine, role):
    asking = await browsers("asking", role)
    answer = await asking.ask("DELETE", f"/me/tokens/{anothers['token_id']}")
    assert answer.status_code == 404
    assert anothers["token_id"] not in (await asking.ask("GET", "/me/tokens")).text
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gateway.api_tokens")) == 1


@pytest.mark.parametrize("scope", sorted(SCOPES))
async def test_a_scope_reaches_its_own_routes_and_no_other(browsers, anothers, scope):
    asking = await browsers("asking", Role.ADMIN)
    made = await asking.ask("POST", "/me/tokens", json=token_for(scope))
    asking.client.cookies.clear()
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    for route, permission in sorted(ROUTES.items(), key=lambda item: item[0][0] in {"PATCH", "DELETE"}):
        answer = await ask(asking.client, route, anothers, **headers)
        expected = permission in {OPEN, scope} and route not in NO_PERSONS_TOKEN
        assert is_permitted(answer) == expected, (route, answer.text)


@pytest.mark.parametrize("role", Role)
async def test_every_command_leaves_one_line_and_a_refused_one_too(browsers, anothers, engine, role):
    asking = await browsers("asking", role)
    commands = [
        route
        for route, permission in ROUTES.items()
        if route[0] != "GET"
        and permission not in {OPEN, READ}
        and not route[1].endswith(("/logout", "/sign-out"))
    ]
    for route in commands:
        async with engine.begin() as connection:
            before = await connection.scalar(text("SELECT coalesce(max(id), 0) FROM gateway.audit_log"))
        headers = {"X-CSRF-Token": asking.csrf, "X-Request-Id": "this-one"}
        answer = await ask(asking.client, route, anothers, **headers)
        async with engine.begin() as connection:
            lines = await connection.execute(
                text("SELECT * FROM gateway.audit_log WHERE id > :before"), {"before": before}
            )
        (line,) = lines.mappings()
        assert (line["actor"], line["proof"], line["address"]) == ("asking", "cookie", "127.0.0.1")
        assert line["request_id"] == "this-one"
        assert line["outcome"] == ("done" if answer.status_code < 400 else "refused"), (route, answer.text)
        assert line["action"] != "unknown"
        if not is_permitted(answer):
            assert line["detail"] == "urn:dryrun:problem:forbidden"
        assert "not the right one" not in str(line)
