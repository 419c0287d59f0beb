"""Page: one's own channels of notifications, and a form for another one."""

from typing import get_args

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import AccountOwner
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.identity.person import Person
from approval_api.notifications import repository, service
from approval_api.pages.forms import SentForm, validated
from approval_api.pages.rendering import page, see_other
from dryrun_contract.notification import OCCASIONS, ChannelKind, ChannelRequest, NewChannel

router = APIRouter(prefix="/notifications", include_in_schema=False)

_KINDS: tuple[ChannelKind, ...] = get_args(ChannelKind.__value__)


@router.get("")
async def show_channels(request: Request, visitor: AccountOwner, transaction: Transaction) -> Response:
    """Show one's own channels."""
    return await _page(request, visitor, transaction)


@router.post("", name="add_channel")
async def add_channel(
    request: Request, visitor: AccountOwner, form: SentForm, transaction: Transaction
) -> Response:
    """Add a channel; a webhook's signing key is shown only in this answer."""
    wanted = validated(
        ChannelRequest,
        {
            "name": form.one("name"),
            "kind": form.one("kind"),
            "address": form.one("address"),
            "occasions": form.all("occasions"),
            "everybody": form.one("everybody") == "yes",
            "quiet_from": form.one("quiet_from") or None,
            "quiet_to": form.one("quiet_to") or None,
            "timezone": form.one("timezone") or "UTC",
            "gather_minutes": form.one("gather_minutes") or "0",
        },
        "This is not a channel",
    )
    made = await service.add(transaction, wanted, visitor.name)
    note(request, object_=f"channel {wanted.name}", detail=f"{wanted.kind}: {', '.join(wanted.occasions)}")
    if made.signing_key is None:
        return see_other("/notifications")
    return await _page(request, visitor, transaction, made)


async def _page(
    request: Request, visitor: Person, transaction: Transaction, made: NewChannel | None = None
) -> Response:
    channels = await repository.list_of(transaction, visitor.name)
    return page(
        request,
        "notifications/notifications.html",
        visitor,
        channels=channels,
        unreadable=await repository.unreadable_of(transaction, visitor.name, channels),
        made=made,
        kinds=_KINDS,
        occasions=OCCASIONS,
        headers={"Cache-Control": "no-store"},
    )
