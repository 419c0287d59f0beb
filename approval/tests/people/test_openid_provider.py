"""Answers of an OpenID provider are believed within bounds, and secrets go to safe endpoints only."""

import asyncio
import json
import time

import httpx2
import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from pydantic import SecretStr

from approval_api.identity.openid_settings import OpenIdSettings
from approval_api.people import openid
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


KEY = ECKey.generate_key("P-256")
ATTEMPT = Attempt("state", "nonce", "verifier", "/")


def answering(token_answer):
    """Return a provider whose answer with a token is given, as bytes or as parts that come one by one."""

    def answer(request):
        if request.url.path == "/token":
            return httpx2.Response(200, content=token_answer, headers={"Content-Type": "application/json"})
        keys = {"keys": [KEY.as_dict(private=False)]}
        return httpx2.Response(200, json=keys if request.url.path == "/jwks" else GOOD_ENDPOINTS)

    settings = OpenIdSettings.parse(ISSUER, "me", SecretStr("x"), "ops=operator")
    return OpenIdProvider(settings, httpx2.MockTransport(answer))


def signed(payload):
    return jws.serialize_compact({"alg": "ES256"}, payload, KEY, algorithms=["ES256"])


def claims(**given):
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": "me", "sub": "1", "nonce": "nonce", "iat": now, "exp": now + 60}
    return json.dumps(usual | given).encode()


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 200_000,
        b'{"access_token": "a", "x": [' + b"[]," * 30_000 + b"[]]}",
        b'{"access_token": "a", "expires_in": 1e400}',
        b'{"access_token": "a", "expires_at": []}',
    ],
    ids=["deep", "many values", "endless", "a list for a time"],
)
async def test_an_answer_with_a_token_is_within_bounds_or_no_answer(answer):
    with pytest.raises(ProviderUnavailableError):
        await answering(answer).finish("https://a.example/x", "code", ATTEMPT)


@pytest.mark.parametrize(
    "payload",
    [claims(at_hash=[[]]), claims(at_hash={"a": 1}), b'{"a":' + b"[" * 44_000 + b"]" * 44_000 + b"}"],
    ids=["list", "object", "deep"],
)
async def test_a_token_of_odd_values_proves_nobody(payload):
    answer = json.dumps({"access_token": "at", "id_token": signed(payload)})
    with pytest.raises(OpenIdError, match="does not prove who signs in"):
        await answering(answer.encode()).finish("https://a.example/x", "code", ATTEMPT)


async def test_what_a_provider_says_of_a_refusal_is_made_visible():
    with pytest.raises(OpenIdError, match=r"refused the sign-in: a\\x00\\u202eb;"):
        await answering(b'{"error": "a\\u0000\\u202eb"}').finish("https://a.example/x", "code", ATTEMPT)


@pytest.mark.parametrize("place", ["well-known", "jwks", "token"])
async def test_a_provider_that_answers_a_byte_at_a_time_is_waited_for_no_longer(monkeypatch, place):
    monkeypatch.setattr(openid, "WHOLE_SECONDS", 0.2)
    assert openid._SECONDS > 5

    async def dripping():
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    def answer(request):
        content = dripping() if place in str(request.url) else json.dumps(GOOD_ENDPOINTS)
        if place != "jwks" and "jwks" in str(request.url):
            content = json.dumps({"keys": [KEY.as_dict(private=False)]})
        return httpx2.Response(200, content=content)

    settings = OpenIdSettings.parse(ISSUER, "me", SecretStr("x"), "ops=operator")
    provider = OpenIdProvider(settings, httpx2.MockTransport(answer))
    async with asyncio.timeout(5):
        with pytest.raises(ProviderUnavailableError):
            await provider.finish("https://a.example/x", "code", ATTEMPT)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"preferred_username": "\u212aate"}, "1"),  # the Kelvin sign
        ({"preferred_username": "Kate"}, "kate"),
        ({"email": "boss@corp.example", "email_verified": False}, "1"),
        ({"email": "boss@corp.example", "email_verified": "false"}, "1"),
        ({"email": "Boss@corp.example", "email_verified": "true"}, "boss@corp.example"),
        ({"email": "boss@corp.example", "email_verified": True}, "boss@corp.example"),
        ({"email": "boss@corp.example"}, "boss@corp.example"),
    ],
)
def test_nobody_gets_anothers_name_by_other_letters_or_an_unverified_address(given, name):
    settings = OpenIdSettings.parse(ISSUER, "me", SecretStr("x"), "ops=operator")
    assert OpenIdProvider(settings)._identity({"sub": "1", "groups": "ops"} | given).name == name
