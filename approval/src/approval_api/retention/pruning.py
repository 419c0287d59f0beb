"""Removes what is older than the policy, in short transactions, each with its line of the audit log.

Readers never wait: a batch locks the rows that it deletes and nothing else, and there is a pause between
batches. One process at a time works; the others find the lock taken.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.audit.entry import AuditOutcome, Entry, write
from approval_api.database.rounds import apart, work_in_rounds
from approval_api.settings import RetentionPolicy
from dryrun_contract.delivery import TAKE_NO_REMOVALS

logger = logging.getLogger(__name__)

ACTION = "remove_by_policy"
"""Name of a removal in the audit log."""
WHAT = "removals by policy"
"""What log lines call this work."""
EVERY = timedelta(minutes=10)
BATCH_ROWS = 5_000
"""Rows per transaction."""
PAUSE_SECONDS = 0.02
"""Pause between transactions, so that requests get their turn."""
_MOST_SESSIONS = 200
"""Sessions that one round removes."""

_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('retention'))")
# One that an experiment has still to measure stays: without it, its run would start another session.
_OLD_SESSIONS = text("""
SELECT s.id FROM gateway.dryrun_sessions s
WHERE s.phase = 'ended' AND s.ended_at < now() - CAST(:keep AS interval) AND NOT EXISTS (
    SELECT FROM gateway.experiment_runs r
    WHERE r.session_id = s.id AND r.measured IS NULL AND r.failure IS NULL)
ORDER BY s.ended_at LIMIT :most
""")
# Whoever marked a session may have ended, or found the lock taken, before its events were removed.
_OLD_HISTORIES = text("""
SELECT s.id FROM gateway.dryrun_sessions s JOIN gateway.dryrun_reports r ON r.session_id = s.id
WHERE s.phase = 'ended' AND s.ended_at < now() - CAST(:keep AS interval) AND r.final AND r.failure IS NULL
    AND (s.events_removed_at IS NULL OR EXISTS (
        SELECT FROM gateway.dryrun_events e
        WHERE e.session_id = s.id AND e.type NOT IN ('session_ended', 'addresses_mapped')))
ORDER BY s.ended_at LIMIT :most
""")
_SESSION_LOCK = text("SELECT FROM gateway.dryrun_sessions WHERE id = :id FOR NO KEY UPDATE")
_HAS_REPORT = text("""
SELECT EXISTS (SELECT FROM gateway.dryrun_reports WHERE session_id = :id AND final AND failure IS NULL)
""")
_MARK = text("""
UPDATE gateway.dryrun_sessions SET events_removed_at = now(), history_complete = false WHERE id = :id
""")
# What says how it ended, and which address was which service, stays with the session.
_EVENTS = text("""
DELETE FROM gateway.dryrun_events WHERE (journal, seq) IN (
    SELECT journal, seq FROM gateway.dryrun_events
    WHERE session_id = :id AND type NOT IN ('session_ended', 'addresses_mapped') LIMIT :batch)
""")
_OF_SESSION = text("""
DELETE FROM gateway.dryrun_discoveries WHERE id IN (
    SELECT id FROM gateway.dryrun_discoveries WHERE dryrun_session_id = :id LIMIT :batch)
""")
_SESSION = text("DELETE FROM gateway.dryrun_sessions WHERE id = :id AND phase = 'ended'")
# Only what somebody approved: what is pending is undecided, and without its row, what somebody rejected would
# be new when it returns, and a rule could approve it. A row that a report has locked is returning just now.
# What a destination has stays until the removal has been sent there. Then nobody needs to know any more what
# it has: an id is never used twice. OFFSET 0 keeps the lookup of single rows in an index.
_GONE = text("""
WITH gone AS MATERIALIZED (
    SELECT d.id FROM gateway.discoveries d
    WHERE d.gone_at < now() - CAST(:keep AS interval) AND d.status = 'approved' AND NOT EXISTS (
        SELECT 1 FROM gateway.destinations n
        CROSS JOIN LATERAL (SELECT 1 FROM gateway.delivered s
            WHERE s.destination_id = n.id AND s.discovery_id = d.id AND NOT s.removed OFFSET 0) has
        WHERE n.request->>'kind' <> ALL(:take_no_removals))
    LIMIT :batch FOR UPDATE OF d SKIP LOCKED
), forgotten AS (
    DELETE FROM gateway.delivered s USING gone, gateway.destinations n
    WHERE s.destination_id = n.id AND s.discovery_id = gone.id
)
DELETE FROM gateway.discoveries d USING gone WHERE d.id = gone.id
""")
_CHANGES = text("""
DELETE FROM gateway.discovery_changes WHERE id IN (
    SELECT id FROM gateway.discovery_changes WHERE at < now() - CAST(:keep AS interval)
    ORDER BY at, id LIMIT :batch)
""")
# When it began is its reporter's word: a scan that is reported late would go before its end.
_SCANS = text("""
DELETE FROM gateway.production_scans WHERE id IN (
    SELECT id FROM gateway.production_scans WHERE reported_at < now() - CAST(:keep AS interval) LIMIT :batch)
""")
# A delivery that waits for a person or for its destination is not finished. What destinations have is kept
# elsewhere.
_FINISHED = """
SELECT d.id FROM gateway.deliveries d
WHERE d.requested_at < now() - CAST(:keep AS interval)
    AND (d.discarded_at IS NOT NULL OR d.approved_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM gateway.delivery_items o
        WHERE o.delivery_id = d.id AND o.state IN ('waiting', 'dead')))
"""
_ITEMS = text(f"""
DELETE FROM gateway.delivery_items WHERE id IN (
    SELECT i.id FROM gateway.delivery_items i WHERE i.delivery_id IN ({_FINISHED}) LIMIT :batch)
""")  # noqa: S608  # the statement above
_DELIVERIES = text(f"""
DELETE FROM gateway.deliveries WHERE id IN ({_FINISHED}
    AND NOT EXISTS (SELECT 1 FROM gateway.delivery_items i WHERE i.delivery_id = d.id) LIMIT :batch)
""")  # noqa: S608  # the statement above
_AUDIT = text("SELECT gateway.prune_audit_log(CAST(:keep AS interval), :batch)")


async def prune(engine: AsyncEngine, policy: RetentionPolicy) -> dict[str, int]:
    """Remove what is older than the policy; return how many of each kind.

    A kind that fails, or one session, is logged and tried again in the next round; the others are removed.
    Raises DATABASE_ERRORS when the database is away.
    """
    removed: dict[str, int] = {}

    async def remove(kind: str, work: Coroutine[None, None, int]) -> None:
        removed[kind] = await work

    for kind, work in _kinds(engine, policy):
        await apart(remove(kind, work), WHAT, kind=kind)
    return removed


def _kinds(engine: AsyncEngine, policy: RetentionPolicy) -> Iterator[tuple[str, Coroutine[None, None, int]]]:
    """Yield each kind that the policy limits, and its removal."""
    if policy.sessions is not None:
        yield "sessions", _each_session(engine, _OLD_SESSIONS, policy.sessions, _remove_session)
    if policy.events is not None:
        yield "events", _each_session(engine, _OLD_HISTORIES, policy.events, _remove_history)
    if policy.discoveries is not None:
        keep = policy.discoveries
        take_no_removals = {"take_no_removals": sorted(TAKE_NO_REMOVALS)}
        for name, statement, given in (
            ("discoveries", _GONE, take_no_removals),
            ("changes", _CHANGES, {}),
            ("scans", _SCANS, {}),
        ):
            what = f"{name} of production from more than {keep.days} days ago"
            yield name, _in_batches(engine, what, statement, keep=keep, **given)
        yield "deliveries", _deliveries(engine, keep)
    if policy.audit is not None:
        yield "audit", _audit(engine, policy.audit)


async def _each_session(
    engine: AsyncEngine,
    statement: TextClause,
    keep: timedelta,
    remove_one: Callable[[AsyncEngine, timedelta, UUID], Awaitable[int]],
) -> int:
    """Remove something of each session that the statement finds; return how many rows of it."""
    removed = 0

    async def remove(session: UUID) -> None:
        nonlocal removed
        removed += await remove_one(engine, keep, session)

    for session in await _ids(engine, statement, keep):
        await apart(remove(session), WHAT, session=str(session))
    return removed


async def _remove_session(engine: AsyncEngine, keep: timedelta, session: UUID) -> int:
    await _in_transaction(engine, partial(_mark, session=session))
    why = f"session {session}, ended more than {keep.days} days ago"
    await _in_batches(engine, f"events of {why}", _EVENTS, id=session)
    await _in_batches(engine, f"discoveries of {why}", _OF_SESSION, id=session)
    return await _in_batches(engine, why, _SESSION, id=session)


async def _remove_history(engine: AsyncEngine, keep: timedelta, session: UUID) -> int:
    if not await _in_transaction(engine, partial(_mark_reported, session=session)):
        return 0
    what = f"events of session {session}, ended more than {keep.days} days ago; its report stays"
    return await _in_batches(engine, what, _EVENTS, id=session)


async def _deliveries(engine: AsyncEngine, keep: timedelta) -> int:
    what = f"finished deliveries from more than {keep.days} days ago"
    await _in_batches(engine, f"items of {what}", _ITEMS, keep=keep)
    return await _in_batches(engine, what, _DELIVERIES, keep=keep)


async def _mark(connection: AsyncConnection, session: UUID) -> int:
    await connection.execute(_MARK, {"id": session})
    return 1


async def _mark_reported(connection: AsyncConnection, session: UUID) -> int:
    """Mark a session unless a failure has replaced its report, which is tried again from its events."""
    await connection.execute(_SESSION_LOCK, {"id": session})
    return await _mark(connection, session) if await connection.scalar(_HAS_REPORT, {"id": session}) else 0


async def _audit(engine: AsyncEngine, keep: timedelta) -> int:
    what = f"lines of the audit log from more than {keep.days} days ago"

    async def batch(connection: AsyncConnection) -> int:
        done: int = (await connection.execute(_AUDIT, {"keep": keep, "batch": BATCH_ROWS})).scalar_one()
        await _record(connection, what, done)
        return done

    return await _repeated(engine, batch)


async def _in_batches(engine: AsyncEngine, what: str, statement: TextClause, **given: object) -> int:
    async def batch(connection: AsyncConnection) -> int:
        wanted = given if statement is _SESSION else {**given, "batch": BATCH_ROWS}
        done = await connection.execute(statement, wanted)
        count: int = done.rowcount
        await _record(connection, what, count)
        return count

    return await _repeated(engine, batch)


async def _repeated(engine: AsyncEngine, batch: Callable[[AsyncConnection], Awaitable[int]]) -> int:
    removed = 0
    while True:
        done = await _in_transaction(engine, batch)
        removed += done
        if done < BATCH_ROWS:
            return removed
        await asyncio.sleep(PAUSE_SECONDS)


async def _in_transaction(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[int]]) -> int:
    """Do `work` in a transaction of its own; nothing while another process prunes."""
    async with engine.begin() as connection:
        return await work(connection) if await connection.scalar(_LOCK) else 0


async def _record(connection: AsyncConnection, what: str, count: int) -> None:
    if count:
        entry = Entry(
            action=ACTION,
            outcome=AuditOutcome.DONE,
            actor="policy",
            object=what,
            detail=f"{count} removed",
        )
        await write(connection, entry)


async def _ids(engine: AsyncEngine, statement: TextClause, keep: timedelta) -> list[UUID]:
    async with engine.connect() as connection:
        found = await connection.execute(statement, {"keep": keep, "most": _MOST_SESSIONS})
        return list(found.scalars())


async def run(engine: AsyncEngine, policy: RetentionPolicy) -> None:
    """Remove what is old now and every `EVERY`, until cancelled."""

    async def work_once() -> None:
        removed = await prune(engine, policy)
        if any(removed.values()):
            logger.info("removed by policy", extra={"rows": removed})

    await work_in_rounds(work_once, WHAT, every=EVERY.total_seconds())
