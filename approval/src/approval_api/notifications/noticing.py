"""Notices occasions: one statement for each, which stores once what is to be sent on every channel.

A channel reports what happens after it was added, while its owner's account is active.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.database.rounds import apart, work_in_rounds
from approval_api.notifications.trend import regressions

_EVERY = timedelta(seconds=20)

# Each subquery says what happened: object, text, link, whose it is, when.
_HAPPENED = {
    "session_failed": """
        SELECT s.id::text AS object,
            format('Session %s of %s failed: %s', left(s.id::text, 8), s.template, left(s.reason, 300))
                AS text,
            '/dryrun/sessions/' || s.id AS link, s.requested_by AS whose, s.ended_at AS at
        FROM gateway.dryrun_sessions s
        WHERE s.outcome = 'failed' AND s.requested_at > now() - interval '2 days'
    """,
    "targets_harmed": """
        SELECT s.id::text AS object,
            format('Session %s of %s harmed %s of its targets', left(s.id::text, 8), s.template,
                r.figures ->> 'harmed') AS text,
            '/dryrun/sessions/' || s.id || '/report' AS link, s.requested_by AS whose, s.ended_at AS at
        FROM gateway.dryrun_sessions s JOIN gateway.dryrun_reports r ON r.session_id = s.id AND r.final
        WHERE s.requested_at > now() - interval '2 days' AND (r.figures ->> 'harmed')::integer > 0
    """,
    "cleanup_late": """
        SELECT s.id::text AS object,
            format('Session %s of %s should have been removed at %s UTC and still exists',
                left(s.id::text, 8), s.template, to_char(s.expires_at, 'HH24:MI')) AS text,
            '/dryrun/sessions/' || s.id AS link, s.requested_by AS whose, s.expires_at AS at
        FROM gateway.dryrun_sessions s
        WHERE s.phase <> 'ended' AND s.expires_at < now() - interval '1 minute'
            AND s.requested_at > now() - interval '2 days'
    """,
    "schedule_stopped": """
        SELECT s.id || ' ' || extract(epoch FROM s.stopped_at) AS object,
            format('Schedule %s stopped: %s', coalesce(s.request -> 'experiment' ->> 'name',
                left(s.id::text, 8)), s.paused_because) AS text,
            '/dryrun/schedules/' || s.id AS link, s.owner AS whose, s.stopped_at AS at
        FROM gateway.schedules s WHERE s.stopped_at > now() - interval '2 days'
    """,
    "delivery_stuck": """
        SELECT v.id || ' ' || extract(epoch FROM max(i.answered_at)) AS object,
            format('The delivery to %s is stuck: %s given up', n.name, count(*)) AS text,
            '/production/deliveries/' || v.id AS link, v.approved_by AS whose, max(i.answered_at) AS at
        FROM gateway.deliveries v JOIN gateway.destinations n ON n.id = v.destination_id
        JOIN gateway.delivery_items i ON i.delivery_id = v.id AND i.state = 'dead'
        WHERE v.approved_at > now() - interval '30 days' AND NOT EXISTS (
            SELECT 1 FROM gateway.delivery_items w WHERE w.delivery_id = v.id AND w.state = 'waiting')
        GROUP BY v.id, n.name, v.approved_by
    """,
    "credential_expiring": """
        SELECT t.id::text AS object,
            format('The token %s expires on %s', t.label, to_char(t.expires_at, 'YYYY-MM-DD')) AS text,
            '/account' AS link, p.name AS whose, now() AS at
        FROM gateway.api_tokens t JOIN gateway.people p ON p.id = t.person_id
        WHERE t.expires_at BETWEEN now() AND now() + interval '7 days'
    """,
}

_NOTICE = """
INSERT INTO gateway.notifications (channel_id, occasion, object, text, link)
SELECT c.id, :occasion, h.object, h.text, h.link
FROM ({happened}) h
JOIN gateway.channels c ON c.request -> 'occasions' ? :occasion AND h.at >= c.created_at
    AND (h.whose = c.owner OR (c.request ->> 'everybody')::boolean AND :occasion <> 'credential_expiring')
JOIN gateway.people p ON p.name = c.owner AND p.active
ON CONFLICT (channel_id, occasion, object) DO NOTHING
"""

_STATEMENTS = {occasion: text(_NOTICE.format(happened=happened)) for occasion, happened in _HAPPENED.items()}

# Longer than any occasion is noticed again.
_FORGET = text("""
DELETE FROM gateway.notifications WHERE state <> 'waiting' AND noticed_at < now() - interval '60 days'
""")

_TELL = text("""
INSERT INTO gateway.notifications (channel_id, occasion, object, text, link)
SELECT c.id, :occasion, :object, :text, :link FROM gateway.channels c
JOIN gateway.people p ON p.name = c.owner AND p.active
WHERE c.request -> 'occasions' ? :occasion AND c.created_at <= :at
    AND (c.owner = :whose OR (c.request ->> 'everybody')::boolean)
ON CONFLICT (channel_id, occasion, object) DO NOTHING
""")


class Noticing:
    """Looks for occasions for the life of the process."""

    def __init__(self, engine: AsyncEngine, are_comparable: Callable[[], bool] = lambda: True) -> None:
        """Look by `engine`; compare runs with those before them once `are_comparable`."""
        self._engine = engine
        self._are_comparable = are_comparable

    async def run(self) -> None:
        """Work until cancelled; wait for a database that is unreachable."""
        await work_in_rounds(self.work_once, "occasions of notifications", every=_EVERY.total_seconds())

    async def work_once(self) -> None:
        """Store for every channel what happened since the last round."""
        if not await self._anybody_listens():
            return
        for occasion in _STATEMENTS:
            await apart(self._notice(occasion), "noticing", occasion=occasion)
        if self._are_comparable():
            await apart(self._notice_regressions(), "noticing", occasion="regressions")
        async with self._engine.begin() as connection:
            await connection.execute(_FORGET)

    async def _anybody_listens(self) -> bool:
        async with self._engine.connect() as connection:
            found = await connection.execute(text("SELECT EXISTS (SELECT 1 FROM gateway.channels)"))
            return cast("bool", found.scalar_one())

    async def _notice(self, occasion: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(_STATEMENTS[occasion], {"occasion": occasion})

    async def _notice_regressions(self) -> None:
        async with self._engine.begin() as connection:
            for each in await regressions(connection):
                await _tell(connection, each)


async def _tell(connection: AsyncConnection, happened: dict[str, object]) -> None:
    await connection.execute(_TELL, happened)
