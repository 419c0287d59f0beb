"""Sign-in at a real provider of OpenID Connect, which runs beside the test."""

import base64
import hashlib
import json
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from oidc_provider_mock import User, run_server_in_thread
from pydantic import SecretStr
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.people.openid_settings import OpenIdSettings
from approval_api.people.roles import Role

ZOE = User(sub="subject-1", claims={"preferred_username": "Zoe", "name": "Zoë", "groups": ["ops", "x"]})
EVE = User(sub="subject-2", claims={"preferred_username": "eve", "groups": ["strangers"]})


@pytest.fixture(scope="module")
def provider():
    with run_server_in_thread(require_nonce=True, user_claims=[ZOE, EVE]) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
async def api(settings, orchestrator, serving, provider):
    openid = {
        "oidc_issuer": provider,
        "oidc_client_id": "approval",
        "oidc_client_secret": SecretStr("secret"),
        "oidc_roles": "ops=operator+viewer, leads=admin",
    }
    app = create_app(settings.model_copy(update=openid), orchestrator_transport=orchestrator)
    async with serving(app) as api:
        yield api


@pytest.fixture
async def browser(api):
    async with httpx2.AsyncClient(base_url=api.client.base_url, timeout=10, trust_env=False) as client:
        yield client


async def go(browser, subject, wanted="/dryrun/sessions?x=1"):
    """Do what a browser and its person do; return the way back from the provider, not yet gone."""
    away = await browser.get("/sign-in/openid", params={"next": wanted})
    assert away.status_code == 303, away.text
    url = away.headers["location"]
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as elsewhere:
        back = await elsewhere.post(url, data={"sub": subject})
    return url, back.headers["location"]


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


async def test_roles_follow_the_provider_at_each_sign_in(browser, provider):
    await browser.get((await go(browser, "subject-1"))[1])
    try:
        httpx2.put(f"{provider}/users/subject-1", json=ZOE.claims | {"groups": "leads"}).raise_for_status()
        await browser.get((await go(browser, "subject-1"))[1])
        assert (await browser.get("/api/v1/me")).json()["roles"] == ["admin"]
    finally:
        httpx2.put(f"{provider}/users/subject-1", json=ZOE.claims).raise_for_status()


async def test_who_is_in_no_known_group_is_told_so_and_gets_no_account(browser, engine):
    _, back = await go(browser, "subject-2")
    answer = await browser.get(back)
    assert answer.status_code == 403
    assert "no group" in answer.json()["detail"]
    assert (await browser.get("/api/v1/me")).status_code == 401
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gateway.people")) == 0
        assert await connection.scalar(text("SELECT outcome FROM gateway.audit_log")) == "refused"


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


async def test_the_way_back_counts_once_and_in_its_own_browser(browser, api):
    _, back = await go(browser, "subject-1")
    async with httpx2.AsyncClient(base_url=api.client.base_url, timeout=10, trust_env=False) as other:
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


async def test_the_way_on_leads_nowhere_else(browser):
    _, back = await go(browser, "subject-1", "https://evil.example/")
    assert (await browser.get(back)).headers["location"] == "/"


async def test_a_provider_that_is_away_is_a_503(api, browser):
    def away(request):
        raise httpx2.ConnectError("nobody listens")

    api.app.state.openid.transport = httpx2.MockTransport(away)
    answer = await browser.get("/sign-in/openid")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:dryrun:problem:provider-unavailable")


async def test_a_provider_that_calls_itself_otherwise_is_not_believed(api, browser, provider):
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
    ("change", "told"),
    [
        ({"issuer": "http://provider.example"}, "https"),
        ({"issuer": None}, "go together"),
        ({"roles": "ops"}, "group=role"),
        ({"roles": "ops=king"}, "group=role"),
        ({"roles": ","}, "no group"),
    ],
)
def test_settings_that_are_half_or_wrong_are_refused(change, told):
    given = {
        "issuer": "https://provider.example",
        "client_id": "x",
        "client_secret": SecretStr("y"),
        "roles": "a=viewer",
    }
    assert OpenIdSettings.parse(**given).role_map == {"a": {Role.VIEWER}}
    with pytest.raises(ValueError, match=told):
        OpenIdSettings.parse(**given | change)
    assert OpenIdSettings.parse(None, None, None, None) is None
