"""Routes: one's own channels, on which notifications are sent. They need a login; no token will do."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import AccountOwner
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.notifications import repository, service
from dryrun_contract.base import Word
from dryrun_contract.notification import ChannelRequest, ChannelView, NewChannel

router = APIRouter(prefix="/me/channels", tags=["notifications"])


class ChannelList(Word):
    """One's own channels, oldest first."""

    channels: tuple[ChannelView, ...]


@router.post("", status_code=201)
async def add_channel(
    request: Request,
    response: Response,
    person: AccountOwner,
    transaction: Transaction,
    wanted: ChannelRequest,
) -> NewChannel:
    """Add a channel. A webhook's signing key is shown only in this answer.

    Nothing is sent to a host that is not on the list of the process that delivers.
    """
    made = await service.add(transaction, wanted, person.name)
    note(request, object_=f"channel {wanted.name}", detail=f"{wanted.kind}: {', '.join(wanted.occasions)}")
    response.headers["Cache-Control"] = "no-store"
    return made


@router.get("")
async def list_channels(person: AccountOwner, transaction: Transaction) -> ChannelList:
    """List one's own channels, with the receiver's last answer."""
    return ChannelList(channels=tuple(await repository.list_of(transaction, person.name)))


@router.post("/{channel_id}/test", status_code=202)
async def test_channel(
    channel_id: UUID, request: Request, person: AccountOwner, transaction: Transaction
) -> ChannelView:
    """Send a test at once, even in quiet hours."""
    note(request, object_=f"channel {channel_id}")
    return await service.test(transaction, channel_id, person.name)


@router.delete("/{channel_id}", status_code=204)
async def remove_channel(
    channel_id: UUID, request: Request, person: AccountOwner, transaction: Transaction
) -> None:
    """Remove one's own channel, and what waits to be sent on it."""
    note(request, object_=f"channel {channel_id}")
    await service.remove(transaction, channel_id, person.name)
