"""The first way in: whoever may open the database can make a one-time link."""

from collections.abc import Collection

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.audit.entry import AuditOutcome, Entry, write
from approval_api.identity.roles import Role
from approval_api.people import invitations, repository


class SignsInElsewhereError(ValueError):
    """The person signs in at a provider and has no password; the text is shown to the operator."""


class AddedMeanwhileError(Exception):
    """Another command has just added the person; the text is shown to the operator."""


_BY = "approval-api invite"


async def invite(
    connection: AsyncConnection, name: str, roles: Collection[Role], *, only_first: bool
) -> str | None:
    """Return the path of a link for `name`; an unknown person is added with `roles`.

    With `only_first`, return None once an administrator can sign in: from then on people invite people.
    Raises SignsInElsewhereError for a person who signs in at an OpenID Connect provider, and
    AddedMeanwhileError for one whom another transaction adds at the same time; this one is then of no use.
    """
    if only_first and any(
        Role.ADMIN in person.roles and person.active and (person.has_password or person.issuer)
        for person in await repository.list_all(connection)
    ):
        return None
    account = await repository.find_account(connection, name)
    if account is not None and account.issuer is not None:
        raise SignsInElsewhereError(
            f"{name!r} signs in at {account.issuer} and has no password here; choose another name"
        )
    try:
        person_id = (
            account.id
            if account is not None
            else await repository.add(connection, name=name, display_name=name, roles=roles, created_by=_BY)
        )
    except IntegrityError:
        raise AddedMeanwhileError(
            f"another command has just added {name!r} and printed a link; repeat this one for a link that "
            "replaces it"
        ) from None
    secret, _ = await invitations.make(connection, person_id)
    await write(connection, Entry(action="invite_person", outcome=AuditOutcome.DONE, actor=_BY, object=name))
    return invitations.path_of(secret)
