"""Waiting notifications, as the sending process works on them.

What a channel gathered becomes one message when it is first sent. The message is repeated unchanged, under
the same id, until it succeeds or is given up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable_text
from approval_api.notifications.quiet import may_send
from approval_api.notifications.sending.messages import MOST_IN_ONE, Noticed
from dryrun_contract.notification import ChannelRequest

LEASE = timedelta(seconds=90)
MOST_ATTEMPTS = 8
_LONGEST_PAUSE = timedelta(hours=1)
_AT_ONCE = 100
"""Messages of one round, those first whose events have waited longest."""

_DUE = text("""
SELECT n.channel_id, n.message_id, c.request, c.signing_key, min(n.noticed_at) AS oldest,
    bool_or(n.occasion = 'test') AS test, now() AS now
FROM gateway.notifications n JOIN gateway.channels c ON c.id = n.channel_id
WHERE n.state = 'waiting' AND n.next_at <= now()
GROUP BY n.channel_id, n.message_id, c.request, c.signing_key
ORDER BY oldest
""")

_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT id FROM gateway.notifications
    WHERE channel_id = :channel_id AND message_id IS NOT DISTINCT FROM :message_id
        AND state = 'waiting' AND next_at <= now() AND (NOT :test OR occasion = 'test')
    ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE gateway.notifications n SET message_id = :now_part_of, attempts = n.attempts + 1,
    next_at = now() + CAST(:lease AS interval)
FROM due WHERE n.id = due.id
RETURNING n.id, n.occasion, n.text, n.link, n.noticed_at, n.attempts
""")

_SETTLE = text("""
UPDATE gateway.notifications SET state = :state, next_at = now() + CAST(:pause AS interval)
WHERE message_id = :message_id AND attempts = :attempts AND state = 'waiting'
""")

_ANSWERED = text("""
UPDATE gateway.channels SET answer = :answer, answered_at = now() WHERE id = :channel_id
""")


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one channel, claimed by this process."""

    id: UUID
    channel_id: UUID
    channel: ChannelRequest
    signing_key: str | None
    events: tuple[Noticed, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class Due:
    """What waits for one channel."""

    channel_id: UUID
    message_id: UUID | None
    channel: ChannelRequest
    signing_key: str | None
    test: bool


async def due(connection: AsyncConnection) -> list[Due]:
    """Return what may be sent now: tests and repetitions at once, others outside of quiet hours."""
    found: list[Due] = []
    async with connection.stream(_DUE) as waiting:
        # Not the first hundred that wait: channels that are quiet or gather would hold up all others.
        async for row in waiting:
            try:
                channel = ChannelRequest.model_validate(row.request)
            except ValidationError:  # another version stored it, which its owner's page says
                continue
            oldest: datetime = row.oldest
            if row.test or row.message_id is not None or may_send(channel, oldest, row.now):
                found.append(Due(row.channel_id, row.message_id, channel, row.signing_key, row.test))
            if len(found) == _AT_ONCE:
                break
    return found


async def claim(connection: AsyncConnection, each: Due) -> Message | None:
    """Make one message of what waits; None when another process did."""
    message_id = each.message_id or uuid4()
    rows = await connection.execute(
        _CLAIM,
        {
            "channel_id": each.channel_id,
            "message_id": each.message_id,
            "now_part_of": message_id,
            "test": each.test,
            "most": MOST_IN_ONE,
            "lease": LEASE,
        },
    )
    found = sorted(rows, key=lambda row: row.id)
    if not found:
        return None
    events = tuple(Noticed(row.occasion, row.text, row.link, row.noticed_at) for row in found)
    attempts = max(row.attempts for row in found)
    return Message(message_id, each.channel_id, each.channel, each.signing_key, events, attempts)


async def store(
    connection: AsyncConnection,
    message: Message,
    answer: str,
    *,
    sent: bool,
    may_heal: bool,
    wait: timedelta = timedelta(0),
) -> None:
    """Store what became of a message: sent, to be repeated after a growing pause, or given up.

    `wait` is what the receiver asked for; the pause is no shorter.
    """
    again = not sent and may_heal and message.attempts < MOST_ATTEMPTS
    growing = min(timedelta(seconds=15 * 2**message.attempts), _LONGEST_PAUSE)
    pause = max(growing, wait) if again else timedelta(0)
    state = "sent" if sent else "waiting" if again else "dead"
    said = storable_text(answer[:500])
    # The channel first, as whoever removes it locks it: in the other order two deadlock.
    await connection.execute(_ANSWERED, {"answer": said, "channel_id": message.channel_id})
    await connection.execute(
        _SETTLE,
        {"state": state, "pause": pause, "message_id": message.id, "attempts": message.attempts},
    )
