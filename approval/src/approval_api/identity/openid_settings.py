"""Settings of an OpenID Connect provider: where it is, and which roles its groups give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from approval_api.identity.roles import Role

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_plain_loopback(url: str) -> bool:
    """Return whether `url` is plain http to this machine, as tests reach their provider.

    >>> [is_plain_loopback(url) for url in ("http://localhost:99", "https://localhost", "http://10.0.0.1")]
    [True, False, False]
    """
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """One provider."""

    issuer: str
    """Exactly as the provider writes it: compared with the issuer of its tokens."""
    client_id: str
    client_secret: SecretStr
    role_map: Mapping[str, frozenset[Role]]
    roles_claim: str = "groups"
    scope: str = "openid profile email"
    title: str = "single sign-on"

    @classmethod
    def parse(
        cls,
        issuer: str | None,
        client_id: str | None,
        client_secret: SecretStr | None,
        roles: str | None,
        **others: str,
    ) -> Self | None:
        """Return None when nothing is given. Raises ValueError for incomplete or wrong settings."""
        if not (issuer or client_id or client_secret or roles):
            return None
        if not (issuer and client_id and client_secret and roles):
            raise ValueError("OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and OIDC_ROLES go together")
        parts = urlsplit(issuer)
        # Over plain http anybody on the way could say who signs in.
        if parts.scheme != "https" and not is_plain_loopback(issuer):
            raise ValueError(f"OIDC_ISSUER {issuer!r} is not an https address")
        return cls(issuer, client_id, client_secret, _role_map(roles), **others)


def _role_map(given: str) -> dict[str, frozenset[Role]]:
    """Read `group=role+role, …`."""
    mapped = {}
    for entry in filter(None, map(str.strip, given.split(","))):
        group, separator, roles = entry.rpartition("=")
        if not separator or not set(roles.split("+")) <= set(Role):
            raise ValueError(f"OIDC_ROLES: {entry!r} is not group=role+role; roles are {', '.join(Role)}")
        mapped[group.strip()] = frozenset(map(Role, roles.split("+")))
    if not mapped:
        raise ValueError("OIDC_ROLES names no group; nobody could sign in")
    return mapped
