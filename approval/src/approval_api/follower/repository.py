"""Applies a page of events or a snapshot to the tables, inside the follower's transaction."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable, storable_text
from approval_api.discoveries.dryrun import repository as discoveries
from approval_api.events.waker import NOTIFY_CHANNEL
from dryrun_contract.event import (
    Event,
    EventRefused,
    NetworkCreated,
    PhaseChanged,
    SessionEnded,
    SessionQueued,
    Snapshot,
)
from dryrun_contract.scan_choice import NO_CHOICE
from dryrun_contract.session import Phase, Session

_ADOPT = text("""
INSERT INTO gateway.dryrun_sessions
    (id, template, digest, seed, keep, scan, requested_by, requested_at, accepted_at, phase,
     history_complete, prepared_at)
VALUES (:id, :template, :digest, :seed, :keep, CAST(:scan AS jsonb), :actor, :at, :at, 'queued',
    :history_complete, :prepared_at)
ON CONFLICT (id) DO NOTHING
""")

# If the template changed between request and start, the stored snapshot is not what will run, and a score
# against it would be wrong.
# A session that was stopped here while its start was under way keeps that outcome; the outbox stops it.
_QUEUED = text("""
UPDATE gateway.dryrun_sessions
SET phase = 'queued', ended_at = NULL, digest = :digest, prepared_at = :prepared_at,
    template_snapshot = CASE WHEN digest = :digest THEN template_snapshot END,
    accepted_at = coalesce(accepted_at, now()),
    outcome = CASE WHEN accepted_at IS NULL AND outcome = 'stopped' THEN outcome END,
    reason = CASE WHEN accepted_at IS NULL AND outcome = 'stopped' THEN reason END
WHERE id = :id
""")

_PHASE = text("""
UPDATE gateway.dryrun_sessions
SET phase = :phase, reason = CASE WHEN phase = 'queued' AND outcome IS NULL THEN :waits_for
    WHEN phase = 'cleaning_up' THEN coalesce(:stuck, reason) ELSE reason END
WHERE id = :id
""")
"""In the queue, a session's reason says what it waits for; leaving the queue clears it. During its cleanup
the reason says what cannot be removed."""

_NETWORK = text("UPDATE gateway.dryrun_sessions SET expires_at = :expires_at WHERE id = :id")

_ENDED = text("""
UPDATE gateway.dryrun_sessions SET phase = 'ended', outcome = :outcome, reason = :reason, ended_at = :at
WHERE id = :id
""")

_LOST = text("UPDATE gateway.dryrun_sessions SET history_complete = false WHERE id = ANY(:ids)")

_DOUBT = text("""
UPDATE gateway.dryrun_sessions SET history_complete = false WHERE phase NOT IN ('requested', 'ended')
""")

_END_UNKNOWN = "its last event could not be stored, so its outcome is unknown. Start again"

_EVENTS = text("""
INSERT INTO gateway.dryrun_events (journal, seq, session_id, at, type, data)
SELECT journal, seq, session_id, at, type, data
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS page(
    journal uuid, seq bigint, session_id uuid, at timestamptz, type text, data jsonb)
ON CONFLICT (journal, seq) DO NOTHING
RETURNING seq
""")

_KNOWN = text("SELECT id FROM gateway.dryrun_sessions WHERE id = ANY(:ids)")

_KNOWS_JOURNAL = text("SELECT EXISTS (SELECT FROM gateway.dryrun_events WHERE journal = :journal)")

# Sessions that ran before the request, and that the orchestrator does not know: no event will end them.
_LOSE = text("""
UPDATE gateway.dryrun_sessions
SET phase = 'ended', outcome = 'failed', ended_at = now(), history_complete = false,
    reason = 'the orchestrator no longer knows this session: its journal was replaced. Start again'
WHERE phase NOT IN ('requested', 'ended') AND accepted_at < :asked_at AND NOT (id = ANY(:ids))
RETURNING id
""")

_RECONCILE = text("""
UPDATE gateway.dryrun_sessions
SET phase = :phase, outcome = :outcome, reason = :reason, expires_at = :expires_at, ended_at = :ended_at,
    prepared_at = :prepared_at, accepted_at = coalesce(accepted_at, now()), history_complete = false
WHERE id = :id AND phase <> 'ended'
RETURNING id
""")

_NOTIFY = text("SELECT pg_notify(:channel, id) FROM unnest(CAST(:ids AS text[])) AS id")


async def store_events(connection: AsyncConnection, events: Sequence[Event]) -> int:
    """Store `events`, their sessions' new state and their discoveries; wake the streams.

    A session that was not started here is adopted from its events. Returns how many events were new: all of
    them, unless the orchestrator's journal was restored from a backup; then the history of sessions whose
    events are not stored is incomplete.
    """
    await _adopt_unknown(connection, events)
    for event in events:
        await _apply(connection, event)
    rows = [
        {
            "journal": str(event.journal),
            "seq": event.seq,
            "session_id": str(event.session_id),
            "at": event.at.isoformat(),
            "type": event.data.type,
            "data": storable(event.data.model_dump(mode="json")),
        }
        for event in events
    ]
    stored = set((await connection.execute(_EVENTS, {"rows": json.dumps(rows)})).scalars())
    if lost := {event.session_id for event in events if event.seq not in stored}:
        # Their numbers are those of other events, from before the journal was set back.
        await connection.execute(_LOST, {"ids": list(lost)})
    await discoveries.store(connection, events)
    await _notify(connection, (event.session_id for event in events))
    return len(stored)


async def knows_journal(connection: AsyncConnection, journal: UUID) -> bool:
    """Return whether an event of this journal is stored."""
    return bool((await connection.execute(_KNOWS_JOURNAL, {"journal": journal})).scalar())


async def end_unknown(connection: AsyncConnection, snapshot: Snapshot, asked_at: datetime) -> None:
    """End the sessions that `snapshot` does not list.

    Sessions that the orchestrator accepted after `asked_at` may be missing in it and are left alone.
    """
    ids = [session.id for session in snapshot.sessions]
    ended = await connection.execute(_LOSE, {"asked_at": asked_at, "ids": ids})
    await _notify(connection, ended.scalars())


async def reconcile(connection: AsyncConnection, snapshot: Snapshot) -> None:
    """Bring session rows to the state of `snapshot`; events up to its `seq` that were not stored are lost."""
    changed: set[UUID] = set()
    for session in snapshot.sessions:
        await _adopt_from_snapshot(connection, session)
        result = await connection.execute(
            _RECONCILE,
            {
                "id": session.id,
                "phase": session.phase.value,
                "outcome": session.outcome.value if session.outcome else None,
                "reason": _text(session.reason),
                "expires_at": session.expires_at,
                "ended_at": session.ended_at,
                "prepared_at": session.prepared_at,
            },
        )
        changed.update(result.scalars())
    await _notify(connection, changed)


async def _apply(connection: AsyncConnection, event: Event) -> None:
    """Change the session's row as the event says."""
    session_id = event.session_id
    match event.data:
        case SessionQueued(template_digest=digest, prepared_at=prepared_at):
            await connection.execute(
                _QUEUED, {"id": session_id, "digest": digest, "prepared_at": prepared_at}
            )
        case PhaseChanged(phase=phase, reason=reason) if phase is not Phase.ENDED:
            waits_for = _text(reason) if phase is Phase.QUEUED else None
            stuck = _text(reason) if phase is Phase.CLEANING_UP else None
            known = {"id": session_id, "phase": phase.value, "waits_for": waits_for, "stuck": stuck}
            await connection.execute(_PHASE, known)
        case NetworkCreated(expires_at=expires_at):
            await connection.execute(_NETWORK, {"id": session_id, "expires_at": expires_at})
        case SessionEnded(outcome=outcome, reason=reason):
            await connection.execute(
                _ENDED,
                {"id": session_id, "outcome": outcome.value, "reason": _text(reason), "at": event.at},
            )
        case EventRefused(claimed_type=claimed):
            await connection.execute(_LOST, {"ids": [session_id]})
            if claimed == "session_ended":
                # No more events will come; without this it would count as running for ever.
                ended = {"outcome": "failed", "reason": _END_UNKNOWN, "at": event.at}
                await connection.execute(_ENDED, {"id": session_id, **ended})
        case _:
            pass


async def doubt_unfinished(connection: AsyncConnection) -> None:
    """Mark the history of every running session as incomplete: an event of one of them is lost."""
    await connection.execute(_DOUBT)


async def _adopt_unknown(connection: AsyncConnection, events: Sequence[Event]) -> None:
    first = {event.session_id: event for event in reversed(events)}
    known = set((await connection.execute(_KNOWN, {"ids": list(first)})).scalars())
    for session_id in first.keys() - known:
        event = first[session_id]
        queued = event.data if isinstance(event.data, SessionQueued) else None
        await connection.execute(
            _ADOPT,
            {
                "id": session_id,
                "template": queued.template if queued else "unknown",
                "digest": queued.template_digest if queued else "unknown",
                "seed": queued.seed if queued else 0,
                "keep": queued.keep if queued else False,
                "scan": (queued.scan if queued else NO_CHOICE).model_dump_json(),
                "actor": storable_text(queued.actor) if queued else "unknown",
                "at": event.at,
                "history_complete": queued is not None,
                "prepared_at": queued.prepared_at if queued else None,
            },
        )


async def _adopt_from_snapshot(connection: AsyncConnection, session: Session) -> None:
    await connection.execute(
        _ADOPT,
        {
            "id": session.id,
            "template": session.template,
            "digest": session.template_digest,
            "seed": session.seed,
            "keep": session.keep,
            "scan": session.scan.model_dump_json(),
            "actor": "unknown",
            "at": session.created_at,
            "history_complete": False,
            "prepared_at": session.prepared_at,
        },
    )


async def _notify(connection: AsyncConnection, session_ids: Iterable[UUID]) -> None:
    ids = sorted({str(session_id) for session_id in session_ids})
    if ids:
        await connection.execute(_NOTIFY, {"channel": NOTIFY_CHANNEL, "ids": ids})


def _text(text_or_none: str | None) -> str | None:
    return None if text_or_none is None else storable_text(text_or_none)
