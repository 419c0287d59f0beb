"""What other sites make a browser send changes nothing."""

import pytest

from approval_api.identity.roles import Role

TOKEN = {"label": "t", "scopes": ["read"]}


@pytest.fixture
async def ada(browsers):
    return await browsers("ada", Role.VIEWER)


async def test_a_cookie_alone_changes_nothing(ada):
    for csrf in ("", "guessed", "ü"):
        answer = await ada.ask("POST", "/me/tokens", json=TOKEN, headers={"X-CSRF-Token": csrf.encode()})
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:dryrun:problem:csrf")
    assert (await ada.ask("GET", "/me/tokens")).json() == {"tokens": []}


async def test_the_value_of_one_login_is_worth_nothing_in_another(ada, browsers):
    bob = await browsers("bob", Role.VIEWER)
    answer = await ada.ask("POST", "/me/tokens", json=TOKEN, headers={"X-CSRF-Token": bob.csrf})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_request_is_refused_even_with_the_right_token(ada, headers):
    assert (await ada.ask("POST", "/me/tokens", json=TOKEN, headers=headers)).status_code == 403
    refused = await ada.ask(
        "POST", "/login", json={"name": "ada", "password": "several words of nobody"}, headers=headers
    )
    assert refused.status_code == 403


async def test_our_own_pages_are_let_through(ada, api):
    own = str(api.client.base_url).rstrip("/")
    for headers in ({"Sec-Fetch-Site": "same-origin", "Origin": own}, {"Origin": own}):
        assert (await ada.ask("POST", "/me/tokens", json=TOKEN, headers=headers)).status_code == 201


async def test_a_token_needs_no_csrf_proof_and_wins_over_a_cookie(ada, api):
    made = (await ada.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read"]})).json()
    headers = {"Authorization": f"Bearer {made['secret']}", "X-CSRF-Token": ""}
    answer = await ada.ask("POST", "/dryrun/sessions", json={"template": "small"}, headers=headers)
    assert answer.json()["type"] == "urn:dryrun:problem:forbidden"
    headers["Authorization"] = "Bearer wrong"
    assert (await ada.ask("GET", "/me", headers=headers)).status_code == 401
