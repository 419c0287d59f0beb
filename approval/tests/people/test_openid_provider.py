"""Answers of an OpenID provider are believed within bounds, and secrets go to safe endpoints only."""

import json

import httpx2
import pytest
from joserfc.jwk import ECKey
from pydantic import SecretStr

from approval_api.identity.openid_settings import OpenIdSettings
from approval_api.people.openid import Attempt, OpenIdError, OpenIdProvider, ProviderUnavailableError

ISSUER = "https://provider.example"
GOOD_ENDPOINTS = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": "https://keys.example/jwks",
}
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize(
    "url",
    [
        "http://provider.example/token",
        "http://localhost/token",
        "https://localhost/token",
        "https://127.0.0.1/token",
        "https://2130706433/token",
        "https://[::1]/token",
        "https://169.254.169.254/token",
        "https://intranet/token",
        "https://intranet./token",
        "https://x.localhost./token",
        "https://0x7f.1/token",
        "https://db.internal/token",
        "https://user:secret@provider.example/token",
        "https://provider.example/token#part",
    ],
)
async def test_nothing_is_sent_to_an_endpoint_that_is_not_safe(name, url):
    asked = []

    def answer(request):
        asked.append(str(request.url))
        content = GOOD_ENDPOINTS | {name: url} if "well-known" in str(request.url) else {"keys": []}
        return httpx2.Response(200, content=json.dumps(content))

    settings = OpenIdSettings.parse(ISSUER, "me", SecretStr("the-client-secret"), "ops=operator")
    provider = OpenIdProvider(settings, httpx2.MockTransport(answer))
    attempt = Attempt("state", "nonce", "verifier", "/")
    with pytest.raises(OpenIdError, match=name):
        await provider.finish("https://approval.example/sign-in/openid/callback", "code", attempt)
    assert asked == [f"{ISSUER}/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    ("issuer", "other"),
    [
        ("https://provider.example", "https://keys.example"),
        ("https://sso.corp.internal", "https://login.corp.internal"),
        ("https://10.0.0.7:8443", "https://10.0.0.7:9443"),
        ("https://sso", "https://sso:8443"),
    ],
)
async def test_endpoints_at_other_named_hosts_and_at_the_issuers_own_are_used(issuer, other):
    key = ECKey.generate_key("P-256").as_dict(private=False)

    def answer(request):
        content = {"issuer": issuer, **dict.fromkeys(ENDPOINTS, f"{other}/x")}
        content = content if "well-known" in str(request.url) else {"keys": [key]}
        return httpx2.Response(200, content=json.dumps(content))

    settings = OpenIdSettings.parse(issuer, "me", SecretStr("x"), "ops=operator")
    url, _ = await OpenIdProvider(settings, httpx2.MockTransport(answer)).begin("https://a.example/x", "/")
    assert url.startswith(f"{other}/x?")


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("place", ["well-known", "jwks"])
async def test_a_provider_that_answers_without_end_is_cut_off(place, encoding):
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 100:
            sent += 1
            yield b" " * 65536

    def answer(request):
        if place in str(request.url):
            headers = {"Content-Encoding": encoding} if encoding else {}
            return httpx2.Response(200, content=endless(), headers=headers)
        return httpx2.Response(200, content=json.dumps(GOOD_ENDPOINTS))

    settings = OpenIdSettings.parse(ISSUER, "me", SecretStr("x"), "ops=operator")
    with pytest.raises(ProviderUnavailableError):
        await OpenIdProvider(settings, httpx2.MockTransport(answer)).begin("https://a.example/x", "/")
    assert sent <= 6


async def test_a_refusal_of_the_provider_says_what_to_do_next():
    keys = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}

    def answer(request):
        if request.url.path == "/token":
            return httpx2.Response(400, json={"error": "invalid_grant"})
        return httpx2.Response(200, json=keys if request.url.path == "/jwks" else GOOD_ENDPOINTS)

    settings = OpenIdSettings.parse(ISSUER, "me", SecretStr("x"), "ops=operator")
    provider = OpenIdProvider(settings, httpx2.MockTransport(answer))
    _, attempt = await provider.begin("https://a.example/x", "/")
    with pytest.raises(OpenIdError, match=r"invalid_grant; sign in again, .* ask an administrator"):
        await provider.finish("https://a.example/x", "code", attempt)


@pytest.mark.parametrize("subject", ["", "a\x00b", "ü", "x" * 256, 5, ["a"], None])
def test_a_subject_that_names_nobody_is_refused(subject):
    settings = OpenIdSettings.parse(ISSUER, "me", SecretStr("x"), "ops=operator")
    claims = {"sub": subject, "groups": "ops", "preferred_username": "zoe"}
    with pytest.raises(OpenIdError, match="subject"):
        OpenIdProvider(settings)._identity(claims)
