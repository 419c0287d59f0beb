"""How people come, change and go; the first administrator among them."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from approval_api.identity.roles import Role
from approval_api.people import bootstrap, repository

PASSWORD = "several words of nobody"


@pytest.fixture
async def root(browsers):
    return await browsers("root", Role.ADMIN)


async def add(root, name, *roles):
    answer = await root.ask("POST", "/people", json={"name": name, "roles": roles or ["viewer"]})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_nobody_can_sign_in_before_an_invitation_was_taken(root, browsers):
    invited = await add(root, "zoe")
    ada = await browsers("zoe")
    assert (await ada.sign_in("")).status_code == 422
    assert (await ada.sign_in("x")).status_code == 401
    taken = {"secret": invited["secret"], "password": PASSWORD}
    assert (await ada.ask("POST", "/invitations/taken", json=taken)).status_code == 200
    assert (await ada.ask("GET", "/me")).json()["roles"] == ["viewer"]
    assert (await ada.sign_in()).status_code == 200


async def test_an_invitation_is_taken_once_and_a_newer_one_replaces_it(root, browsers):
    invited = await add(root, "zoe")
    answer = await root.ask("POST", f"/people/{invited['person']['id']}/invitation")
    newer = answer.json()["secret"]
    ada = await browsers("zoe")
    codes = [
        (await ada.ask("POST", "/invitations/taken", json={"secret": s, "password": PASSWORD})).status_code
        for s in (invited["secret"], newer, newer)
    ]
    assert codes == [410, 200, 410]


async def test_an_invitation_expires(root, browsers, engine):
    invited = await add(root, "zoe")
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.invitations SET expires_at = now()"))
    taken = {"secret": invited["secret"], "password": PASSWORD}
    answer = await (await browsers("zoe")).ask("POST", "/invitations/taken", json=taken)
    assert answer.status_code == 410


@pytest.mark.parametrize("password", ["short", "ababababababababab", "zoe" * 5, "x" * 257])
async def test_a_refused_password_leaves_the_invitation_valid(root, browsers, password):
    invited = await add(root, "zoe")
    ada = await browsers("zoe")
    taken = {"secret": invited["secret"], "password": password}
    answer = await ada.ask("POST", "/invitations/taken", json=taken)
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["where"] == "body.password"
    answer = await ada.ask("POST", "/invitations/taken", json=taken | {"password": PASSWORD})
    assert answer.status_code == 200


async def test_names_are_unique_including_programs_names(root):
    await add(root, "eve")
    for name in ("eve", "root", "bob"):  # bob is a program of the settings
        answer = await root.ask("POST", "/people", json={"name": name, "roles": ["viewer"]})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:dryrun:problem:name-taken")
    for name in ("", "Ada", "a b", "ä", "x" * 65, "../x"):
        answer = await root.ask("POST", "/people", json={"name": name, "roles": ["viewer"]})
        assert answer.status_code == 422


async def test_a_program_and_a_person_of_the_same_name_are_two_in_audit_log_and_limits(
    api, browsers, engine, settings
):
    """`ada` is a program of the settings; here a person has that name too."""
    ada = await browsers("ada", Role.OPERATOR)
    for answer in (
        await ada.ask("POST", "/dryrun/sessions", json={"template": "small"}),
        await api.post("/sessions", json={"template": "small"}),
    ):
        assert answer.status_code == 201
    async with engine.connect() as connection:
        actors = list(
            (
                await connection.execute(
                    text("SELECT actor FROM gateway.audit_log WHERE action = 'start_session' ORDER BY id")
                )
            ).scalars()
        )
        asked = set(
            (await connection.execute(text("SELECT requested_by FROM gateway.dryrun_sessions"))).scalars()
        )
    assert actors == ["ada", "program:ada"]
    assert asked == {"ada", "program:ada"}


@pytest.mark.parametrize("name", ["program:ada", "Program:ada"])
async def test_nobody_can_have_a_programs_name(root, engine, name):
    answer = await root.ask("POST", "/people", json={"name": name, "roles": ["viewer"]})
    assert answer.status_code == 422
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await repository.add(connection, name=name, display_name="x", roles=[Role.VIEWER], created_by="x")


async def test_a_change_of_roles_takes_effect_with_the_next_request(root, browsers):
    ada = await browsers("ada", Role.ADMIN)
    assert (await ada.ask("GET", "/people")).status_code == 200
    people = (await root.ask("GET", "/people")).json()["people"]
    (ada_id,) = [person["id"] for person in people if person["name"] == "ada"]
    await root.ask("PATCH", f"/people/{ada_id}", json={"roles": ["viewer"]})
    assert (await ada.ask("GET", "/people")).status_code == 403
    changed = await root.ask("PATCH", f"/people/{ada_id}", json={"active": False})
    assert changed.json()["active"] is False
    assert (await ada.ask("GET", "/me")).status_code == 401


async def test_the_last_administrator_stays_one(root):
    (person,) = (await root.ask("GET", "/people")).json()["people"]
    for change in ({"roles": ["viewer"]}, {"active": False}):
        answer = await root.ask("PATCH", f"/people/{person['id']}", json=change)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:dryrun:problem:last-admin")
    assert (await root.ask("GET", "/people")).json()["people"][0]["roles"] == ["admin"]


async def test_the_first_link_is_made_only_while_no_administrator_can_sign_in(engine, browsers):
    async with engine.begin() as connection:
        path = await bootstrap.invite(connection, "first", [Role.ADMIN], only_first=True)
    assert path.startswith("/invitation?secret=")
    async with engine.begin() as connection:
        again = await bootstrap.invite(connection, "first", [Role.ADMIN], only_first=True)
    assert again != path
    browser = await browsers("first")
    taken = {"secret": again.partition("=")[2], "password": PASSWORD}
    assert (await browser.ask("POST", "/invitations/taken", json=taken)).status_code == 200
    async with engine.begin() as connection:
        assert await bootstrap.invite(connection, "other", [Role.ADMIN], only_first=True) is None
    people = (await browser.ask("GET", "/people")).json()["people"]
    assert [person["name"] for person in people] == ["first"]


async def test_the_only_administrator_who_forgot_the_password_gets_a_link_for_another(root, engine, browsers):
    """By whoever has the database: nobody else can let them in again."""
    async with engine.begin() as connection:
        path = await bootstrap.invite(connection, "root", [Role.VIEWER], only_first=False)
    assert (await root.ask("GET", "/me")).status_code == 200
    again = await browsers("root")
    taken = {"secret": path.partition("=")[2], "password": "several other words"}
    assert (await again.ask("POST", "/invitations/taken", json=taken)).status_code == 200
    assert (await again.ask("GET", "/me")).json()["roles"] == ["admin"]
    assert (await root.ask("GET", "/me")).status_code == 401
    assert (await root.sign_in()).status_code == 401


async def test_an_unknown_person_is_a_404(root):
    path = "/people/7c9e6679-7425-40de-944b-e07fc1f90ae7"
    for method, rest in (("GET", ""), ("PATCH", ""), ("POST", "/invitation")):
        answer = await root.ask(method, path + rest, json={"active": True} if method == "PATCH" else None)
        assert answer.status_code == 404
