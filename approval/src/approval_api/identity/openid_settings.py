"""Settings of an OpenID Connect provider: where it is, and which roles its groups give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from approval_api.identity.roles import Role

_PREFIX = "APPROVAL_OIDC_"
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
    """The settings of one provider."""

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
        given = {"ISSUER": issuer, "CLIENT_ID": client_id, "CLIENT_SECRET": client_secret, "ROLES": roles}
        if not any(given.values()):
            return None
        if not (issuer and client_id and client_secret and roles):
            lacking = ", ".join(f"{_PREFIX}{name}" for name, value in given.items() if not value)
            raise ValueError(
                f"{', '.join(f'{_PREFIX}{name}' for name in given)} go together; not set: {lacking}"
            )
        parts = urlsplit(issuer)
        # Over plain http anybody on the way could say who signs in.
        if parts.scheme != "https" and not is_plain_loopback(issuer):
            raise ValueError(f"{_PREFIX}ISSUER: {issuer!r} is not an https address")
        return cls(issuer, client_id, client_secret, _role_map(roles), **others)


def _role_map(given: str) -> dict[str, frozenset[Role]]:
    """Read `group=role+role, …`."""
    entries = [entry.strip() for entry in given.split(",") if entry.strip()]
    if not entries:
        raise ValueError(f"{_PREFIX}ROLES names no group; nobody could sign in")
    mapped = {}
    wrong = []
    for entry in entries:
        group, separator, roles = entry.rpartition("=")
        if separator and set(roles.split("+")) <= set(Role):
            mapped[group.strip()] = frozenset(map(Role, roles.split("+")))
        else:
            wrong.append(repr(entry))
    if wrong:
        raise ValueError(
            f"{_PREFIX}ROLES: expected group=role+role, not {', '.join(wrong)}; roles are {', '.join(Role)}"
        )
    return mapped
