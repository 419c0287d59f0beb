"""Whoever asks, once it is proven who that is."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from approval_api.identity.roles import Permission, Role

PROGRAM_PREFIX = "program:"
"""Holds programs and people apart in audit log, limits and decisions; see the pattern of people's names."""


class Proof(StrEnum):
    """What a person showed."""

    COOKIE = "cookie"
    """A login in a browser."""
    TOKEN = "token"  # noqa: S105  # a word, no secret
    """One of their tokens."""
    SETTING = "setting"
    """A token of APPROVAL_TOKENS: a program, with a name and no account."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, and what they may do with what they showed."""

    id: UUID | None
    """None for a token of APPROVAL_TOKENS."""
    name: str
    """Unique, printable ASCII: it travels in a header to the orchestrator's audit journal. A program's begins
    with PROGRAM_PREFIX, which no person's name can hold, wherever the person comes from."""
    display_name: str
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    """Of their roles; of a token no more than its scopes."""
    proof: Proof
    collectors: frozenset[str] | None = frozenset()
    """The collectors whose name a report may bear; None for a login, which could make a token for any."""
    csrf: str | None = None
    """What a form or a script of this login has to send along; None without a cookie."""

    def may(self, permission: Permission) -> bool:
        """Tell whether this person may do what asks for `permission`; pages hide what they may not."""
        return permission in self.permissions
