"""Pages of one's own account: password and tokens."""

import re

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import AccountOwner
from approval_api.audit.transaction import Transaction
from approval_api.identity.person import Person
from approval_api.identity.roles import SCOPES
from approval_api.pages.forms import SentForm, validated
from approval_api.pages.rendering import page, see_other
from approval_api.people import accounts, tokens
from approval_api.people import sign_in as sign_ins
from approval_api.people.schemas import NewToken, TokenMade

router = APIRouter(prefix="/account", include_in_schema=False)

LIFETIMES = (7, 30, 90, 366)


async def _account_page(
    request: Request,
    visitor: Person,
    transaction: Transaction,
    *,
    made: TokenMade | None = None,
    saved: bool = False,
) -> Response:
    return page(
        request,
        "account/account.html",
        visitor,
        tokens=await tokens.list_of(transaction, accounts.own_id(visitor)),
        scopes=sorted(SCOPES & visitor.permissions),
        lifetimes=LIFETIMES,
        made=made,
        saved=saved,
    )


@router.get("")
async def show_account(
    request: Request, visitor: AccountOwner, transaction: Transaction, saved: str = ""
) -> Response:
    """Show who one is here, and one's tokens."""
    return await _account_page(request, visitor, transaction, saved=saved == "yes")


@router.post("/password", name="change_password")
async def change_own_password(request: Request, visitor: AccountOwner, form: SentForm) -> Response:
    """Choose another password."""
    answer = see_other("/account?saved=yes")
    await sign_ins.change_password(request, answer, visitor, form.raw("current"), form.raw("new"))
    return answer


@router.post("/tokens", name="make_token")
async def make_own_token(
    request: Request, visitor: AccountOwner, form: SentForm, transaction: Transaction
) -> Response:
    """Make a token; this page is the only one that shows it."""
    wanted = validated(
        NewToken,
        {
            "label": form.one("label"),
            "scopes": form.all("scope"),
            "collectors": re.split(r"[\s,]+", form.one("collectors")) if form.one("collectors") else [],
            "days": form.one("days", "90"),
        },
        "The token was not made",
    )
    made = await accounts.make_token(request, transaction, visitor, wanted)
    return await _account_page(request, visitor, transaction, made=made)
