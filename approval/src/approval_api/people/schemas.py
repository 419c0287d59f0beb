"""People, their tokens and invitations as this API's clients see them."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints, model_validator

from approval_api.identity.roles import Permission, Role
from approval_api.people.passwords import MAX_CHARACTERS
from dryrun_contract.base import UtcTime, Word
from dryrun_contract.production import CollectorName

STORABLE = r"^[^\x00]*$"
"""PostgreSQL stores no U+0000; pydantic refuses lone surrogates by itself."""
NAME = r"^[a-z0-9][a-z0-9._@+-]{0,63}$"

MAX_COLLECTORS = 20
"""Collectors that one token may report for."""

type PersonName = Annotated[str, Field(pattern=NAME, examples=["ada"])]
type DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(examples=["Ada Lovelace"]),
]
type Password = Annotated[
    str, Field(min_length=1, max_length=MAX_CHARACTERS, examples=["correct horse battery staple"])
]
type Secret = Annotated[str, Field(min_length=1, max_length=200)]


class SignIn(Word):
    """Name and password of a sign-in."""

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=STORABLE, examples=["ada"])]
    password: Password


class Me(Word):
    """The authenticated person, and what they may do."""

    name: str
    display_name: str
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    csrf: str | None
    """For the header `X-CSRF-Token` or the form field `csrf_token`; null without a cookie."""


class PasswordChange(Word):
    """A new password, with the old one."""

    current: Password
    new: Password


class PersonView(Word):
    """A person as administrators see them."""

    id: UUID
    name: str
    display_name: str
    roles: tuple[Role, ...]
    active: bool
    has_password: bool
    """False until an invitation was taken."""
    issuer: str | None
    """The OpenID Connect provider that this person signs in at, if any."""
    confirmed_at: UtcTime | None
    """When the provider last confirmed this person."""
    created_at: UtcTime
    created_by: str
    last_seen_at: UtcTime | None


class PersonList(Word):
    """Everybody, by name."""

    people: tuple[PersonView, ...]


class NewPerson(Word):
    """A person to add. They choose their password themselves, by the link of the answer."""

    name: PersonName
    display_name: DisplayName | None = None
    roles: Annotated[frozenset[Role], Field(min_length=1, examples=[["viewer"]])]


class PersonChange(Word):
    """Fields that are left out stay unchanged."""

    display_name: DisplayName | None = None
    roles: Annotated[frozenset[Role], Field(min_length=1, examples=[["operator"]])] | None = None
    active: StrictBool | None = None


class Invitation(Word):
    """A secret that lets one person choose a password, once. It is shown now and never again."""

    person: PersonView
    secret: str
    path: str
    """The page that takes it."""
    expires_at: UtcTime


class InvitationTaken(Word):
    """An invitation's secret, and the password its person chose."""

    secret: Secret
    password: Password


class NewToken(Word):
    """A token to make: its purpose, its scopes, and how long it is valid."""

    label: Annotated[DisplayName, Field(examples=["nightly rehearsal"])]
    scopes: Annotated[frozenset[Permission], Field(min_length=1, examples=[["read"]])]
    collectors: Annotated[frozenset[CollectorName], Field(max_length=MAX_COLLECTORS)] = frozenset()
    """With the scope `collect`, and only then: the collectors under whose names it may report."""
    days: Annotated[int, Field(ge=1, le=366)] = 90

    @model_validator(mode="after")
    def _names_collectors_to_collect(self) -> Self:
        if (Permission.COLLECT in self.scopes) != bool(self.collectors):
            raise ValueError("the scope 'collect' and the names of collectors go together")
        return self


class TokenView(Word):
    """A token, without its secret."""

    id: UUID
    label: str
    scopes: tuple[Permission, ...]
    collectors: tuple[str, ...]
    """Under whose names it may report to production."""
    created_at: UtcTime
    expires_at: UtcTime
    last_used_at: UtcTime | None


class TokenList(Word):
    """One person's tokens, newest first."""

    tokens: tuple[TokenView, ...]


class TokenMade(Word):
    """A new token. The secret is shown now and never again."""

    token: TokenView
    secret: str
