"""Accounts: people are added, invited and changed, and make tokens. What routes and pages share."""

from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.audit.log import note
from approval_api.database.locks import hold
from approval_api.identity.person import Person
from approval_api.identity.roles import SCOPES, Role, permissions_of
from approval_api.people import invitations, logins, repository, tokens
from approval_api.people.schemas import (
    Invitation,
    NewPerson,
    NewToken,
    PersonChange,
    PersonView,
    TokenMade,
)
from approval_api.settings import Settings
from approval_api.web.problems import ProblemError, too_many, unknown


async def require(connection: AsyncConnection, person_id: UUID) -> PersonView:
    """Return the person. Raises a 404 problem when there is none."""
    person = await repository.find(connection, person_id)
    if person is None:
        raise unknown("person", person_id, "/api/v1/people")
    return person


async def add(request: Request, connection: AsyncConnection, by: Person, wanted: NewPerson) -> Invitation:
    """Store a new person and an invitation. Raises a 409 problem when the name is taken."""
    settings: Settings = request.app.state.settings
    taken = ProblemError("name-taken", 409, f"the name {wanted.name!r} is taken; choose another")
    if any(token.name == wanted.name for token in settings.tokens):
        raise taken
    try:
        person_id = await repository.add(
            connection,
            name=wanted.name,
            display_name=wanted.display_name or wanted.name,
            roles=wanted.roles,
            created_by=by.name,
        )
    except IntegrityError as error:
        raise taken from error
    invitation = await invite(request, connection, person_id)
    note(request, object_=wanted.name, detail=", ".join(sorted(wanted.roles)))
    return invitation


async def invite(request: Request, connection: AsyncConnection, person_id: UUID) -> Invitation:
    """Make a new link for a person; an older one becomes worthless.

    Raises ProblemError: 404, or 409 `signs-in-elsewhere` for a person who signs in at a provider: a password
    beside it would still count after the provider takes its word back.
    """
    person = await require(connection, person_id)
    if person.issuer is not None:
        raise ProblemError(
            "signs-in-elsewhere",
            409,
            f"{person.name!r} signs in at {person.issuer} and has no password here; roles come from there",
        )
    secret, expires_at = await invitations.make(connection, person_id)
    note(request, object_=person.name)
    return Invitation(person=person, secret=secret, path=invitations.path_of(secret), expires_at=expires_at)


async def change(
    request: Request, connection: AsyncConnection, person_id: UUID, wanted: PersonChange
) -> PersonView:
    """Change a person; deactivating one ends all their logins.

    Raises ProblemError: 404, or 409 `last-admin` when nobody would be left to administer.
    """
    values: dict[str, Any] = {}
    if wanted.display_name is not None:
        values["display_name"] = wanted.display_name
    if wanted.roles is not None:
        values["roles"] = sorted(wanted.roles)
    if wanted.active is not None:
        values["active"] = wanted.active
    had_admin = await repository.count_admins(connection) > 0
    if values:
        await repository.change(connection, person_id, values)
    person = await require(connection, person_id)
    if had_admin and await repository.count_admins(connection) == 0:
        raise ProblemError(
            "last-admin",
            409,
            f"no administrator would be left; give somebody else the role {Role.ADMIN.value!r} first",
            title="The last administrator stays",
        )
    if wanted.active is False:
        await logins.end_all_of(connection, person_id)
    note(request, object_=person.name, detail=wanted.model_dump_json(exclude_none=True))
    return person


def own_id(person: Person) -> UUID:
    """Return the person's id, on routes that only people with an account may use."""
    assert person.id is not None  # programs have no account, and no permission for these routes
    return person.id


async def make_token(
    request: Request, connection: AsyncConnection, person: Person, wanted: NewToken
) -> TokenMade:
    """Store a new token of `person`.

    Raises ProblemError: 403 `scope-not-allowed` for scopes the person does not have, 409 `too-many-tokens`.
    """
    # As they are now: whoever withdraws them removes the tokens that are there, this one too.
    roles = await repository.held_roles(connection, own_id(person))
    if not wanted.scopes <= SCOPES & person.permissions & permissions_of(roles):
        raise ProblemError(
            "scope-not-allowed",
            403,
            "a token can only have scopes that you have yourself, and never own_account",
        )
    await hold(connection, f"tokens of {own_id(person)}")
    if len(await tokens.list_of(connection, own_id(person))) >= tokens.MAX_PER_PERSON:
        raise too_many("tokens", f"you have {tokens.MAX_PER_PERSON} tokens", 409)
    made = await tokens.make(connection, own_id(person), wanted)
    scopes = ", ".join(made.token.scopes)
    as_collectors = f" as {', '.join(made.token.collectors)}" if made.token.collectors else ""
    note(
        request,
        object_=str(made.token.id),
        detail=f"{made.token.label}: {scopes}{as_collectors}, {wanted.days} days",
    )
    return made


async def remove_token(connection: AsyncConnection, person_id: UUID, token_id: UUID) -> None:
    """Delete a person's token. Raises a 404 problem when they have no such token."""
    if not await tokens.remove(connection, person_id, token_id):
        raise ProblemError("unknown-token", 404, f"this person has no token {token_id}")
