"""Routes: sign in and out, one's own account, and the people that administrators look after."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.authentication import OPEN, AccountOwner, Administrator, PeopleManager, Reader
from approval_api.audit.trail import note
from approval_api.database.engine import Transaction
from approval_api.identity.person import Person
from approval_api.identity.roles import SCOPES
from approval_api.people import invitations, repository, service, tokens
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
from approval_api.people.service import Invited
from approval_api.web.problems import ProblemError

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
    """Sign in: the answer sets a cookie, and tells what requests that change something send along."""
    return _me(await service.sign_in(request, response, shown.name, shown.password))


@router.post("/logout", status_code=204)
async def sign_out(request: Request, person: AccountOwner) -> Response:
    """End this login."""
    response = Response(status_code=204)
    await service.sign_out(request, response, person)
    return response


@router.post("/invitations/taken", dependencies=[OPEN])
async def take_invitation(request: Request, response: Response, taken: InvitationTaken) -> Me:
    """Choose a password by a one-time link, and be signed in."""
    return _me(await service.take_invitation(request, response, taken.secret, taken.password))


@router.get("/me")
async def show_me(person: Reader) -> Me:
    """Show who asks, and what they may do."""
    return _me(person)


@router.put("/me/password", status_code=204)
async def change_password(
    request: Request, response: Response, person: AccountOwner, wanted: PasswordChange
) -> None:
    """Choose another password. Logins elsewhere end; tokens stay."""
    await service.change_password(request, response, person, wanted.current, wanted.new)


def _own_id(person: Person) -> UUID:
    assert person.id is not None  # programs have no account, and no permission for these routes
    return person.id


@router.get("/me/tokens")
async def list_tokens(person: AccountOwner, transaction: Transaction) -> TokenList:
    """List one's own tokens."""
    return TokenList(tokens=tuple(await tokens.list_of(transaction, _own_id(person))))


@router.post("/me/tokens", status_code=201)
async def make_token(
    request: Request, person: AccountOwner, transaction: Transaction, wanted: NewToken
) -> TokenMade:
    """Make a token; this answer is the only one that shows it. It may never do more than its person."""
    if not wanted.scopes <= SCOPES & person.permissions:
        raise ProblemError(
            "scope-not-allowed", 403, "a token has scopes that you may use yourself, and never own_account"
        )
    if len(await tokens.list_of(transaction, _own_id(person))) >= tokens.MAX_PER_PERSON:
        raise ProblemError(
            "too-many-tokens", 409, f"a person has at most {tokens.MAX_PER_PERSON} tokens; remove one first"
        )
    made = await tokens.make(transaction, _own_id(person), wanted)
    scopes = ", ".join(made.token.scopes)
    as_whom = f" as {', '.join(made.token.collectors)}" if made.token.collectors else ""
    told = f"{made.token.label}: {scopes}{as_whom}, {wanted.days} days"
    note(request, object_=str(made.token.id), detail=told)
    return made


@router.delete("/me/tokens/{token_id}", status_code=204)
async def remove_token(token_id: UUID, person: AccountOwner, transaction: Transaction) -> None:
    """Remove one of one's own tokens; it is worthless from now on."""
    await _remove(transaction, _own_id(person), token_id)


async def _remove(transaction: Transaction, person_id: UUID, token_id: UUID) -> None:
    if not await tokens.remove(transaction, person_id, token_id):
        raise ProblemError("unknown-token", 404, f"this person has no token {token_id}")


@router.get("/people")
async def list_people(_: Administrator, transaction: Transaction) -> PersonList:
    """List everybody."""
    return PersonList(people=tuple(await repository.list_all(transaction)))


def _invitation(invited: Invited) -> Invitation:
    return Invitation(
        person=invited.person,
        secret=invited.secret,
        path=invitations.path_of(invited.secret),
        expires_at=invited.expires_at,
    )


@router.post("/people", status_code=201)
async def add_person(
    request: Request, response: Response, by: PeopleManager, transaction: Transaction, wanted: NewPerson
) -> Invitation:
    """Add a person; the answer holds the one-time link by which they choose a password."""
    invited = await service.add_person(request, transaction, by, wanted)
    response.headers["Location"] = f"/api/v1/people/{invited.person.id}"
    note(request, object_=wanted.name, detail=", ".join(sorted(wanted.roles)))
    return _invitation(invited)


@router.get("/people/{person_id}")
async def show_person(person_id: UUID, _: Administrator, transaction: Transaction) -> PersonView:
    """Show one person."""
    person = await repository.find(transaction, person_id)
    if person is None:
        raise service.unknown_person(person_id)
    return person


@router.patch("/people/{person_id}")
async def change_person(
    request: Request, person_id: UUID, _: PeopleManager, transaction: Transaction, wanted: PersonChange
) -> PersonView:
    """Change roles or name, or let somebody in no more. It counts from their next request on."""
    person = await service.change_person(transaction, person_id, wanted)
    note(request, object_=person.name, detail=wanted.model_dump_json(exclude_none=True))
    return person


@router.post("/people/{person_id}/invitation", status_code=201)
async def invite_person(
    request: Request, person_id: UUID, _: PeopleManager, transaction: Transaction
) -> Invitation:
    """Make a new one-time link for somebody who has no password yet or forgot it."""
    invited = await service.invite(transaction, person_id)
    note(request, object_=invited.person.name)
    return _invitation(invited)


@router.get("/people/{person_id}/tokens")
async def list_tokens_of(person_id: UUID, _: Administrator, transaction: Transaction) -> TokenList:
    """List somebody's tokens, without their secrets."""
    return TokenList(tokens=tuple(await tokens.list_of(transaction, person_id)))


@router.delete("/people/{person_id}/tokens/{token_id}", status_code=204)
async def remove_token_of(
    person_id: UUID, token_id: UUID, _: Administrator, transaction: Transaction
) -> None:
    """Remove somebody's token."""
    await _remove(transaction, person_id, token_id)
