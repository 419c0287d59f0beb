"""The person or program that an authenticated request comes from."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from approval_api.identity.roles import Permission, Role

PROGRAM_PREFIX = "program:"
"""Keeps programs and people apart in audit log, limits and decisions; no person's name can hold it."""


class Proof(StrEnum):
    """The kind of credential that was shown."""

    COOKIE = "cookie"
    """A login in a browser."""
    TOKEN = "token"  # noqa: S105  # a word, no secret
    """One of their tokens."""
    SETTING = "setting"
    """A token of APPROVAL_TOKENS: a program, with a name and no account."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who sends a request, and what they may do with the credential they showed."""

    id: UUID | None
    """None for a token of APPROVAL_TOKENS."""
    name: str
    """Unique, printable ASCII: it is sent in a header to the orchestrator's audit log. A program's begins
    with PROGRAM_PREFIX, which no person's name can hold, at a provider either."""
    display_name: str
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    """Those of their roles; for a token, no more than its scopes."""
    proof: Proof
    collectors: frozenset[str] | None = frozenset()
    """Collectors under whose names this may report; None for a login, which could make a token for any."""
    token_id: UUID | None = None
    """Which of their tokens was shown."""
    csrf: str | None = None
    """The CSRF token that a form or script of this login has to send; None without a cookie."""

    def may(self, permission: Permission) -> bool:
        """Return whether this person has `permission`; pages hide the rest."""
        return permission in self.permissions
