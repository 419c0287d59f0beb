"""Channels with messages for them, and what became of these."""

from uuid import uuid4

from sqlalchemy import text

from approval_api.notifications import repository
from dryrun_contract.notification import ChannelRequest

KEY = "whsec_c29tZSBzZWNyZXQgb2YgdGVzdHM="
HOSTILE = (
    "Session failed: <!channel> <script>alert(1)</script> *bold* [x](http://evil) \x1b[31m\r\nBcc: x@y.z"
)


async def add_channel(engine, kind, address, *texts, **wanted):
    request = ChannelRequest.model_validate(
        {"name": "x", "kind": kind, "address": address, "occasions": ["session_failed"], **wanted}
    )
    channel = uuid4()
    async with engine.begin() as connection:
        await repository.add(connection, channel, request, "ada", KEY if kind == "webhook" else None)
        for each in texts:
            await connection.execute(
                text(
                    "INSERT INTO gateway.notifications (channel_id, occasion, object, text, link) "
                    "VALUES (:channel, 'session_failed', gen_random_uuid()::text, :text, "
                    "'/dryrun/sessions/1')"
                ),
                {"channel": channel, "text": each},
            )
    return channel


async def states(engine, channel):
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT state FROM gateway.notifications WHERE channel_id = :id ORDER BY id"),
            {"id": channel},
        )
        return [row.state for row in rows]


async def said(engine, channel):
    async with engine.connect() as connection:
        query = text("SELECT answer FROM gateway.channels WHERE id = :id")
        return await connection.scalar(query, {"id": channel})


async def make_everything_due(engine):
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.notifications SET next_at = now()"))
