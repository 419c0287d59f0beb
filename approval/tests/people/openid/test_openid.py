"""Sign-in at a real provider of OpenID Connect, which runs beside the test."""

import asyncio
import base64
import hashlib
import json
import ssl
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from provider_people import ZOE, arrive, go, run
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from approval_api.identity.roles import Role
from approval_api.people import bootstrap, openid, repository


async def test_who_the_provider_names_is_signed_in_with_the_roles_of_their_groups(browser, engine):
    _, back = await go(browser, "subject-1")
    answer = await browser.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dryrun/sessions?x=1")
    me = (await browser.get("/api/v1/me")).json()
    assert (me["name"], me["display_name"], me["roles"]) == ("zoe", "Zoë", ["operator", "viewer"])
    assert me["csrf"]
    async with engine.connect() as connection:
        account = (await connection.execute(text("SELECT * FROM gateway.people"))).mappings().one()
        line = (await connection.execute(text("SELECT * FROM gateway.audit_log"))).mappings().one()
    assert (account["subject"], account["password_hash"]) == ("subject-1", None)
    assert (line["actor"], line["action"], line["outcome"]) == ("zoe", "sign_in_openid", "done")


async def test_a_person_in_no_known_group_is_refused_and_gets_no_account(browser, engine):
    _, back = await go(browser, "subject-2")
    answer = await browser.get(back)
    assert answer.status_code == 403
    assert "no group" in answer.json()["detail"]
    assert (await browser.get("/api/v1/me")).status_code == 401
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gateway.people")) == 0
        assert await connection.scalar(text("SELECT outcome FROM gateway.audit_log")) == "refused"


async def test_nobody_who_signs_in_at_a_provider_gets_a_password(browser, browsers, engine):
    await arrive(browser)
    root = await browsers("root", Role.ADMIN)
    people = (await root.ask("GET", "/people")).json()["people"]
    (zoe,) = [person for person in people if person["name"] == "zoe"]
    answer = await root.ask("POST", f"/people/{zoe['id']}/invitation")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:dryrun:problem:signs-in-elsewhere")
    async with engine.begin() as connection:
        with pytest.raises(bootstrap.SignsInElsewhereError, match="zoe"):
            await bootstrap.invite(connection, "zoe", [Role.ADMIN], only_first=False)
    with pytest.raises(IntegrityError, match="one_proof"):
        await run(engine, "UPDATE gateway.people SET password_hash = 'x' WHERE name = 'zoe'")


async def test_a_name_from_the_provider_and_a_programs_name_are_two(browser, api, engine, provider):
    """`ada` is a program of the settings."""
    renamed = ZOE.claims | {"preferred_username": "ada"}
    httpx2.put(f"{provider}/users/subject-1", json=renamed).raise_for_status()
    try:
        csrf = await arrive(browser)
    finally:
        httpx2.put(f"{provider}/users/subject-1", json=ZOE.claims).raise_for_status()
    await browser.post("/api/v1/dryrun/sessions", json={"template": "small"}, headers=csrf)
    await api.post("/sessions", json={"template": "small"})
    asked = (
        await run(engine, "SELECT requested_by FROM gateway.dryrun_sessions ORDER BY requested_at")
    ).scalars()
    assert list(asked) == ["ada", "program:ada"]


async def test_an_account_of_the_same_name_is_never_taken_over(browser, browsers):
    zoe = await browsers("zoe", Role.ADMIN)
    answer = await browser.get((await go(browser, "subject-1"))[1])
    assert answer.status_code == 403
    assert "another account" in answer.json()["detail"]
    assert (await zoe.ask("GET", "/me")).json()["roles"] == ["admin"]


async def test_who_was_locked_out_here_stays_out(browser, engine):
    await browser.get((await go(browser, "subject-1"))[1])
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.people SET active = false"))
    assert (await browser.get((await go(browser, "subject-1"))[1])).status_code == 403


async def test_the_callback_works_once_and_in_its_own_browser(browser, api):
    _, back = await go(browser, "subject-1")
    async with httpx2.AsyncClient(
        base_url=api.client.base_url, timeout=10, trust_env=False, verify=False
    ) as other:
        assert (await other.get(back)).status_code == 403
    assert (await browser.get(back)).status_code == 303
    assert (await browser.get(back)).status_code == 403


async def test_an_answer_of_another_attempt_is_refused(browser):
    _, first = await go(browser, "subject-1")
    await go(browser, "subject-1")
    assert (await browser.get(first)).status_code == 403


async def test_a_token_made_for_another_attempt_is_refused(browser):
    """What the provider signed holds the nonce of the attempt whose code it was."""
    _, first = await go(browser, "subject-1")
    _, second = await go(browser, "subject-1")
    mixed = second.replace(
        parse_qs(urlsplit(second).query)["code"][0], parse_qs(urlsplit(first).query)["code"][0]
    )
    answer = await browser.get(mixed)
    assert answer.status_code == 403
    assert "nonce" in answer.json()["detail"]
    assert answer.json()["detail"].endswith("; sign in again, and if it stays so ask an administrator")


async def test_the_code_is_bound_to_this_browser_by_pkce(browser, api):
    asked = []

    class Recording(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            asked.append((request.url.path, parse_qs((await request.aread()).decode())))
            return await super().handle_async_request(request)

    api.app.state.openid.transport = Recording()
    url, back = await go(browser, "subject-1")
    assert (await browser.get(back)).status_code == 303
    sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert sent["code_challenge_method"] == "S256"
    (token,) = [form for path, form in asked if path.endswith("/token")]
    verifier = token["code_verifier"][0]
    assert len(verifier) >= 43
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert sent["code_challenge"] == hashed
    assert verifier not in url


async def test_the_redirect_leads_to_our_own_pages_only(browser):
    _, back = await go(browser, "subject-1", "https://evil.example/")
    assert (await browser.get(back)).headers["location"] == "/"


async def test_an_unreachable_provider_is_a_503(api, browser):
    def away(request):
        raise httpx2.ConnectError("nobody listens")

    api.app.state.openid.transport = httpx2.MockTransport(away)
    answer = await browser.get("/sign-in/openid")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:dryrun:problem:provider-unavailable")


async def test_certificates_are_read_once_for_all_sign_ins(browser, monkeypatch):
    read = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: read.append(1))
    for _ in range(2):
        await arrive(browser)
    assert len(read) == 1


async def test_nor_are_they_read_for_each_sign_in_while_the_provider_does_not_answer(browser, monkeypatch):
    def no_provider(*_):
        raise ValueError

    read = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: read.append(1))
    monkeypatch.setattr(openid._Discovery, "require_sound", no_provider)
    for _ in range(3):
        assert (await browser.get("/sign-in/openid")).status_code == 503
    assert len(read) == 1
    monkeypatch.setattr(openid, "_CERTIFICATES_SECONDS", 0.0)
    await browser.get("/sign-in/openid")
    assert len(read) == 2


async def test_a_provider_with_another_issuer_is_refused(api, browser, provider):
    def other(request):
        document = httpx2.get(provider + request.url.path).json()
        return httpx2.Response(200, content=json.dumps({**document, "issuer": "https://evil.example"}))

    api.app.state.openid.transport = httpx2.MockTransport(other)
    assert (await browser.get("/sign-in/openid")).status_code == 403


async def test_the_sign_in_page_offers_it_where_it_is_set_up(browser):
    page = (await browser.get("/sign-in")).text
    assert "/sign-in/openid?next=/" in page
    assert "single sign-on" in page


@pytest.mark.parametrize(
    "kept", ["[" * 9_000, '{"state":"\\ud800","nonce":"","verifier":"","wanted":"/"}', "[]", "x"]
)
async def test_a_foreign_cookie_belongs_to_no_sign_in(api, kept):
    cookie = base64.urlsafe_b64encode(kept.encode()).decode()
    answer = await api.client.get(
        "/sign-in/openid/callback", params={"state": "a"}, headers={"Cookie": f"approval-openid={cookie}"}
    )
    assert answer.status_code == 403


async def test_first_sign_ins_at_the_same_moment_make_one_account(browser, engine, api, monkeypatch):
    """As of a browser that opened two pages, or a person at two of them."""
    find, arrived = repository.find_subject, asyncio.Barrier(2)
    waited = set()

    async def found_by_both(connection, *which):
        found = await find(connection, *which)
        if connection not in waited:
            waited.add(connection)
            await arrived.wait()
        return found

    async with httpx2.AsyncClient(
        base_url=api.client.base_url, timeout=10, trust_env=False, verify=False
    ) as elsewhere:
        ways = [(each, (await go(each, "subject-1"))[1]) for each in (browser, elsewhere)]
        monkeypatch.setattr(repository, "find_subject", found_by_both)
        answers = await asyncio.gather(*(each.get(back) for each, back in ways))
        assert [answer.status_code for answer in answers] == [303, 303]
        for each in (browser, elsewhere):
            assert (await each.get("/api/v1/me")).json()["name"] == "zoe"
    assert (await run(engine, "SELECT count(*) FROM gateway.people")).scalar() == 1


async def test_a_sign_in_overtaken_by_a_deactivation_begins_no_login(browser, engine, monkeypatch):
    """It would count again once somebody activates the account."""
    await arrive(browser)
    find, seen = repository.find_subject, []

    async def overtaken(*which):
        found = await find(*which)
        if not seen:
            await run(engine, "UPDATE gateway.people SET active = false")
            await run(engine, "DELETE FROM gateway.logins")
        seen.append(found)
        return found

    _, back = await go(browser, "subject-1")
    monkeypatch.setattr(repository, "find_subject", overtaken)
    assert (await browser.get(back)).status_code == 403
    assert (await run(engine, "SELECT count(*) FROM gateway.logins")).scalar() == 0
