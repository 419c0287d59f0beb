"""Routes: signing in and out, one's own account, and the administration of people."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import OPEN, AccountOwner, Administrator, PeopleManager, Reader
from approval_api.audit.transaction import Transaction
from approval_api.identity.person import Person
from approval_api.people import accounts, repository, tokens
from approval_api.people import sign_in as sign_ins
from approval_api.people.schemas import (
    Invitation,
    InvitationTaken,
    Me,
    NewPerson,
    NewToken,
    PasswordChange,
    PersonChange,
    PersonList,
    PersonView,
    SignIn,
    TokenList,
    TokenMade,
)

router = APIRouter(tags=["people"])


def _me(person: Person) -> Me:
    return Me(
        name=person.name,
        display_name=person.display_name,
        roles=tuple(sorted(person.roles)),
        permissions=tuple(sorted(person.permissions)),
        csrf=person.csrf,
    )


@router.post("/login", dependencies=[OPEN])
async def sign_in(request: Request, response: Response, shown: SignIn) -> Me:
    """Sign in: the answer sets a cookie and holds the CSRF token for requests that change something."""
    return _me(await sign_ins.sign_in(request, response, shown.name, shown.password))


@router.post("/logout", status_code=204)
async def sign_out(request: Request, person: AccountOwner) -> Response:
    """End this login."""
    response = Response(status_code=204)
    await sign_ins.sign_out(request, response, person)
    return response


@router.post("/invitations/taken", dependencies=[OPEN])
async def take_invitation(request: Request, response: Response, taken: InvitationTaken) -> Me:
    """Choose a password with a one-time link and sign in."""
    return _me(await sign_ins.take_invitation(request, response, taken.secret, taken.password))


@router.get("/me")
async def show_me(person: Reader) -> Me:
    """Show the authenticated person and their permissions."""
    return _me(person)


@router.put("/me/password", status_code=204)
async def change_password(
    request: Request, response: Response, person: AccountOwner, wanted: PasswordChange
) -> None:
    """Choose another password. Logins in other browsers end; tokens stay valid."""
    await sign_ins.change_password(request, response, person, wanted.current, wanted.new)


@router.get("/me/tokens")
async def list_tokens(person: AccountOwner, transaction: Transaction) -> TokenList:
    """List one's own tokens."""
    return TokenList(tokens=tuple(await tokens.list_of(transaction, accounts.own_id(person))))


@router.post("/me/tokens", status_code=201)
async def make_token(
    request: Request, person: AccountOwner, transaction: Transaction, wanted: NewToken
) -> TokenMade:
    """Make a token; only this answer shows it. It never has more permissions than its owner."""
    return await accounts.make_token(request, transaction, person, wanted)


@router.delete("/me/tokens/{token_id}", status_code=204)
async def remove_token(token_id: UUID, person: AccountOwner, transaction: Transaction) -> None:
    """Delete one of one's own tokens."""
    await accounts.remove_token(transaction, accounts.own_id(person), token_id)


@router.get("/people")
async def list_people(_: Administrator, transaction: Transaction) -> PersonList:
    """List everybody."""
    return PersonList(people=tuple(await repository.list_all(transaction)))


@router.post("/people", status_code=201)
async def add_person(
    request: Request, response: Response, by: PeopleManager, transaction: Transaction, wanted: NewPerson
) -> Invitation:
    """Add a person; the answer holds the one-time link to choose a password with."""
    invitation = await accounts.add(request, transaction, by, wanted)
    response.headers["Location"] = f"/api/v1/people/{invitation.person.id}"
    return invitation


@router.get("/people/{person_id}")
async def show_person(person_id: UUID, _: Administrator, transaction: Transaction) -> PersonView:
    """Show one person."""
    return await accounts.require(transaction, person_id)


@router.patch("/people/{person_id}")
async def change_person(
    request: Request, person_id: UUID, _: PeopleManager, transaction: Transaction, wanted: PersonChange
) -> PersonView:
    """Change a person's roles or name, or deactivate them. Takes effect with their next request."""
    return await accounts.change(request, transaction, person_id, wanted)


@router.post("/people/{person_id}/invitation", status_code=201)
async def invite_person(
    request: Request, person_id: UUID, _: PeopleManager, transaction: Transaction
) -> Invitation:
    """Make a new one-time link for a person who has no password yet or forgot it."""
    return await accounts.invite(request, transaction, person_id)


@router.get("/people/{person_id}/tokens")
async def list_tokens_of(person_id: UUID, _: Administrator, transaction: Transaction) -> TokenList:
    """List a person's tokens, without their secrets."""
    return TokenList(tokens=tuple(await tokens.list_of(transaction, person_id)))


@router.delete("/people/{person_id}/tokens/{token_id}", status_code=204)
async def remove_token_of(
    person_id: UUID, token_id: UUID, _: Administrator, transaction: Transaction
) -> None:
    """Delete a person's token."""
    await accounts.remove_token(transaction, person_id, token_id)
