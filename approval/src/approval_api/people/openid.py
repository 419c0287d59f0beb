"""Sign-in at an OpenID Connect provider (Core 1.0, code flow with PKCE, state and nonce).

Authlib implements the protocol. The provider's claims decide a person's roles at each sign-in. They are valid
for accounts made at a sign-in there, never for another account of the same name.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, HttpUrl

from approval_api.identity.openid_settings import OpenIdSettings, is_plain_loopback
from approval_api.identity.roles import Role
from approval_api.people.provider_answers import BOUNDS, HEADERS, HOOKS
from approval_api.people.schemas import NAME
from dryrun_contract.bounded_json import read_json, read_model
from dryrun_contract.text import printable

_SECONDS = 10
WHOLE_SECONDS = 20.0
"""Longest time of all that a page waits for, however slowly the provider sends it."""
_KNOWN_FOR_SECONDS = 3600.0
_CERTIFICATES_SECONDS = 60.0
_LEEWAY_SECONDS = 30
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signed by the provider's own keys only: neither `none` nor a shared secret."""
_ODD_VALUES = (ValueError, TypeError, OverflowError, RecursionError)
"""What libraries raise for values of the wrong kind, out of range, or nested without end."""
_AGAIN = "sign in again, and if it stays so ask an administrator"


class OpenIdError(Exception):
    """Signing in at the provider failed; the text says why, in our own words."""


class ProviderUnavailableError(OpenIdError):
    """The provider does not answer; this may heal."""


class _Discovery(BaseModel):
    """The fields of OpenID Connect Discovery 1.0, section 3, that are needed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    issuer: str
    authorization_endpoint: HttpUrl
    token_endpoint: HttpUrl
    jwks_uri: HttpUrl

    def require_sound(self, issuer: str) -> None:
        """Raise OpenIdError unless the client secret, the code and keys may be exchanged with each endpoint.

        That is https, at the issuer's own host or another host with a domain. Providers do use several
        names; an address, a bare name or this machine is refused unless it is the issuer itself.
        """
        own = urlsplit(issuer).hostname
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            endpoint: HttpUrl = getattr(self, name)
            host = (endpoint.host or "").strip("[]")
            safe = endpoint.scheme == "https" or (
                is_plain_loopback(issuer) and is_plain_loopback(str(endpoint))
            )
            if not safe:
                raise OpenIdError(f"the provider's {name} is not an https address; nothing is sent there")
            if endpoint.username or endpoint.password or endpoint.fragment is not None:
                raise OpenIdError(f"the provider's {name} holds more than an address; nothing is sent there")
            if host != own and not is_plain_loopback(str(endpoint)) and not _may_belong(host, own or ""):
                raise OpenIdError(
                    f"the provider's {name} is at {host!r}, which is neither the issuer's host nor a "
                    "host with a domain; nothing is sent there"
                )


_PRIVATE_DOMAINS = frozenset({"internal", "local", "lan", "home"})


def _may_belong(host: str, issuer: str) -> bool:
    """Return whether `host` may be another host of the provider at `issuer`.

    A name with a domain may; an address in any notation and this machine may not, nor may a name in a private
    domain unless the issuer is in the same one.
    """
    _, dot, last = host.rstrip(".").rpartition(".")
    if last in _PRIVATE_DOMAINS and issuer.rstrip(".").rpartition(".")[2] != last:
        return False
    return bool(dot) and last != "localhost" and not last[:1].isdigit()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a browser keeps while its person is at the provider."""

    state: str
    nonce: str
    verifier: str
    wanted: str
    """The page to go on to."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The person whom the provider authenticated, and its claims about them."""

    issuer: str
    subject: str
    name: str
    display_name: str
    roles: frozenset[Role]
    """Empty for a person who may not sign in here, or no longer."""


@dataclass(slots=True)
class OpenIdProvider:
    """The provider of the settings; its configuration and keys are fetched once an hour.

    So are trusted certificates, at most once a minute while the provider does not answer: to read them takes
    10 ms, and anybody may begin a sign-in.
    """

    settings: OpenIdSettings
    transport: httpx2.AsyncBaseTransport | None = None
    _discovery: _Discovery | None = field(default=None, init=False)
    _keys: KeySet | None = field(default=None, init=False)
    _trusted: ssl.SSLContext | None = field(default=None, init=False)
    _trusted_at: float = field(default=0.0, init=False)
    _asked_at: float = field(default=0.0, init=False)

    def _client(self, redirect_uri: str) -> Any:
        return AsyncOAuth2Client(
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret.get_secret_value(),
            redirect_uri=redirect_uri,
            scope=self.settings.scope,
            code_challenge_method="S256",
            timeout=_SECONDS,
            follow_redirects=False,
            verify=self._trusted or True,
            transport=self.transport,
            headers=HEADERS,
            event_hooks=HOOKS,
        )

    async def begin(self, redirect_uri: str, wanted: str) -> tuple[str, Attempt]:
        """Return the URL to send the browser to, and what it keeps meanwhile. Raises OpenIdError."""
        discovery, _ = await self._published()
        attempt = Attempt(generate_token(32), generate_token(32), generate_token(64), wanted)
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                str(discovery.authorization_endpoint),
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url), attempt

    async def finish(self, redirect_uri: str, code: str, attempt: Attempt) -> Identity:
        """Return who signed in, without roles when none of their groups gives one. Raises OpenIdError."""
        if not code:
            raise OpenIdError("the provider signed nobody in; try again, or ask an administrator")
        discovery, keys = await self._published()
        try:
            async with asyncio.timeout(WHOLE_SECONDS), self._client(redirect_uri) as client:
                token = await client.fetch_token(
                    str(discovery.token_endpoint), code=code, code_verifier=attempt.verifier
                )
        except OAuthError as error:
            why = printable(str(error.error))
            raise OpenIdError(f"the provider refused the sign-in: {why}; {_AGAIN}") from error
        except (httpx2.HTTPError, OSError, *_ODD_VALUES) as error:
            # OSError: a CA bundle that cannot be read, or no whole answer in time.
            raise ProviderUnavailableError("the provider did not return a token") from error
        return self._identity(self._claims(token, keys, attempt))

    def _claims(self, token: Mapping[str, Any], keys: KeySet, attempt: Attempt) -> Mapping[str, Any]:
        try:
            decoded = jwt.decode(str(token.get("id_token", "")), keys, algorithms=_ALGORITHMS)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                },
                params={
                    "nonce": attempt.nonce,
                    "client_id": self.settings.client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(leeway=_LEEWAY_SECONDS)
        except (JoseError, *_ODD_VALUES) as error:
            # Keys may have been renewed within the hour.
            self._discovery = None
            why = printable(str(error))
            raise OpenIdError(f"the provider's token does not prove who signs in: {why}; {_AGAIN}") from error
        return dict(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        given = claims.get(self.settings.roles_claim, [])
        groups = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        roles = frozenset(
            role for group in groups for role in self.settings.role_map.get(str(group), frozenset())
        )
        subject = claims["sub"]
        # OpenID Connect Core 1.0, section 2: ASCII, at most 255 characters.
        if not isinstance(subject, str) or not re.fullmatch(r"[ -~]{1,255}", subject):
            raise OpenIdError("the provider gives no subject that names a person; ask an administrator")
        # An address that the provider says it has not verified may be anybody's. Some say so by a text.
        verified = str(claims.get("email_verified", True)).lower() == "true"
        candidates = [claims.get("preferred_username"), claims.get("email") if verified else None, subject]
        # Beyond ASCII, another person's letters may become these: the Kelvin sign's lower case is a k.
        names = [each.lower() for each in map(str, filter(None, candidates)) if each.isascii()]
        name = next((each for each in names if re.fullmatch(NAME, each)), None)
        if name is None:
            raise OpenIdError("the provider gives no name that can be used here; ask an administrator")
        display_name = "".join(filter(str.isprintable, str(claims.get("name") or name)))[:100].strip()
        return Identity(self.settings.issuer, subject, name, display_name or name, roles)

    async def _published(self) -> tuple[_Discovery, KeySet]:
        fresh = time.monotonic() - self._asked_at < _KNOWN_FOR_SECONDS
        if self._discovery is not None and self._keys is not None and fresh:
            return self._discovery, self._keys
        issuer = self.settings.issuer
        try:
            self._read_certificates()
            http = httpx2.AsyncClient(
                timeout=_SECONDS,
                verify=self._trusted or True,
                transport=self.transport,
                headers=HEADERS,
                event_hooks=HOOKS,
            )
            async with asyncio.timeout(WHOLE_SECONDS), http:
                answer = await http.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                discovery = read_model(_Discovery, answer.raise_for_status().content, BOUNDS)
                discovery.require_sound(issuer)
                keys = await http.get(str(discovery.jwks_uri))
                key_set: Any = read_json(keys.raise_for_status().content, BOUNDS)
                self._keys = KeySet.import_key_set(key_set)
        except (httpx2.HTTPError, JoseError, LookupError, OSError, TypeError, ValueError) as error:
            raise ProviderUnavailableError(
                "the provider does not answer as an OpenID Connect provider"
            ) from error
        if discovery.issuer != issuer:
            raise OpenIdError("the provider's issuer differs from APPROVAL_OIDC_ISSUER")
        self._discovery = discovery
        self._asked_at = time.monotonic()
        return discovery, self._keys

    def _read_certificates(self) -> None:
        now = time.monotonic()
        # A transport of tests has its own.
        is_due = self._trusted is None or now - self._trusted_at >= _CERTIFICATES_SECONDS
        if self.transport is None and is_due:
            self._trusted, self._trusted_at = httpx2.create_ssl_context(), now
