"""The way in where nobody can sign in yet: whoever may open the database makes a one-time link."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.audit.entry import AuditOutcome, Entry, write
from approval_api.identity.roles import Role
from approval_api.people import invitations, repository


class SignsInElsewhereError(ValueError):
    """Whoever a link was asked for has a provider's word and no password; the text is shown."""


_BY = "approval-api invite"


async def invite(
    connection: AsyncConnection, name: str, roles: Collection[Role], *, only_first: bool
) -> str | None:
    """Return the path of a link for `name`, who is added with `roles` when new.

    With `only_first` return None once an administrator has signed in before: then people invite people.
    Raises SignsInElsewhereError for who signs in at a provider of OpenID Connect.
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
    person_id = (
        account.id
        if account is not None
        else await repository.add(connection, name=name, display_name=name, roles=roles, created_by=_BY)
    )
    secret, _ = await invitations.make(connection, person_id)
    await write(connection, Entry(action="invite_person", outcome=AuditOutcome.DONE, actor=_BY, object=name))
    return invitations.path_of(secret)
