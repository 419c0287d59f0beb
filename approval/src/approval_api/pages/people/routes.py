"""Pages for administrators: people, their roles and tokens."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import Administrator, PeopleManager
from approval_api.audit.transaction import Transaction
from approval_api.identity.roles import Role
from approval_api.pages.forms import SentForm, validated
from approval_api.pages.rendering import page, see_other
from approval_api.people import accounts, repository, tokens
from approval_api.people.schemas import Invitation, NewPerson, PersonChange
from approval_api.web.origin import own_origin

router = APIRouter(include_in_schema=False)


@router.get("/people")
async def show_people(request: Request, visitor: Administrator, transaction: Transaction) -> Response:
    """List everybody."""
    people = await repository.list_all(transaction)
    return page(
        request, "people/people.html", visitor, people=people, roles=list(Role), invitation=None, link=""
    )


@router.post("/people", name="add_person")
async def add_person_page(
    request: Request, visitor: PeopleManager, form: SentForm, transaction: Transaction
) -> Response:
    """Add a person and show the one-time link for them."""
    wanted = validated(
        NewPerson,
        {
            "name": form.one("name").lower(),
            "display_name": form.one("display_name") or None,
            "roles": form.all("role"),
        },
        "The person was not added",
    )
    invitation = await accounts.add(request, transaction, visitor, wanted)
    people = await repository.list_all(transaction)
    return page(
        request,
        "people/people.html",
        visitor,
        people=people,
        roles=list(Role),
        invitation=invitation,
        link=_link(request, invitation),
    )


def _link(request: Request, invitation: Invitation) -> str:
    return own_origin(request) + invitation.path


async def _person_page(
    person_id: UUID,
    request: Request,
    visitor: Administrator,
    transaction: Transaction,
    invitation: Invitation | None,
) -> Response:
    return page(
        request,
        "people/person.html",
        visitor,
        person=await accounts.require(transaction, person_id),
        roles=list(Role),
        tokens=await tokens.list_of(transaction, person_id),
        invitation=invitation,
        link=_link(request, invitation) if invitation else "",
    )


@router.get("/people/{person_id}")
async def show_person_page(
    person_id: UUID, request: Request, visitor: Administrator, transaction: Transaction
) -> Response:
    """Show one person."""
    return await _person_page(person_id, request, visitor, transaction, None)


@router.post("/people/{person_id}", name="change_person")
async def change_person_page(
    person_id: UUID, request: Request, _: PeopleManager, form: SentForm, transaction: Transaction
) -> Response:
    """Change name and roles, or let somebody in no more."""
    wanted = validated(
        PersonChange,
        {
            "display_name": form.one("display_name") or None,
            "roles": form.all("role"),
            "active": form.one("active") == "yes",
        },
        "Nothing was changed",
    )
    await accounts.change(request, transaction, person_id, wanted)
    return see_other(f"/people/{person_id}")


@router.post("/people/{person_id}/invitation", name="invite_person")
async def invite_person_page(
    person_id: UUID, request: Request, visitor: PeopleManager, transaction: Transaction
) -> Response:
    """Make a new one-time link and show it."""
    invitation = await accounts.invite(request, transaction, person_id)
    return await _person_page(person_id, request, visitor, transaction, invitation)
