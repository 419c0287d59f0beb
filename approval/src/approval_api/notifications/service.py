"""What a person does with their channels: add, list, try, remove."""

import base64
import secrets
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.notifications import repository
from approval_api.web.problems import ProblemError, too_many
from dryrun_contract.notification import ChannelRequest, ChannelView, NewChannel
from dryrun_contract.problem import Fault

MOST_OF_ONE = 10
_KEY_BYTES = 32


def _unknown(channel_id: UUID) -> ProblemError:
    return ProblemError("unknown-channel", 404, f"you have no channel {channel_id}", title="Unknown channel")


async def add(connection: AsyncConnection, wanted: ChannelRequest, owner: str) -> NewChannel:
    """Store a channel. Raises ProblemError: 422 for an unknown time zone, 429 when there are too many."""
    try:
        ZoneInfo(wanted.timezone)
    except (KeyError, ValueError, OSError) as error:
        why = f"there is no time zone {wanted.timezone!r}; names are those of the IANA database"
        raise ProblemError(
            "invalid-request",
            422,
            why,
            title="This is not a channel",
            faults=(Fault(where="body.timezone", what=why),),
        ) from error
    if await repository.count_of(connection, owner) >= MOST_OF_ONE:
        raise too_many("channels", f"you have {MOST_OF_ONE} channels")
    channel_id = uuid4()
    key = f"whsec_{base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}"
    signing_key = key if wanted.kind == "webhook" else None
    await repository.add(connection, channel_id, wanted, owner, signing_key)
    return NewChannel(channel=await _own(connection, channel_id, owner), signing_key=signing_key)


async def remove(connection: AsyncConnection, channel_id: UUID, owner: str) -> None:
    """Delete one's own channel. Raises a 404 problem."""
    if not await repository.remove(connection, channel_id, owner):
        raise _unknown(channel_id)


async def test(connection: AsyncConnection, channel_id: UUID, owner: str) -> ChannelView:
    """Have a test sent to one's own channel. Raises a 404 problem."""
    await _own(connection, channel_id, owner)
    await repository.request_test(connection, channel_id, owner)
    return await _own(connection, channel_id, owner)


async def _own(connection: AsyncConnection, channel_id: UUID, owner: str) -> ChannelView:
    view = await repository.find(connection, channel_id, owner)
    if view is None:
        raise _unknown(channel_id)
    return view
