"""Reads the bounded inputs of reports, and keeps reports.

Events leave the database as one text: this process neither parses nor holds them as values.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.readable import readable
from approval_api.database.tables import dryrun_events, dryrun_sessions
from approval_api.database.tables import dryrun_reports as table
from approval_api.reports.figures import Figures
from approval_api.reports.inputs import Inputs
from approval_api.sessions import repository as sessions
from approval_api.sessions.stored import StoredSession
from dryrun_contract.session import SessionView

REVISION = 11
"""The revision of the computation: raise it when the same events give a different report."""

MAX_DISCOVERIES = 10_000
MAX_WEIGHT = 6 * 1024 * 1024
"""The discoveries of one session that its report includes: the first ones, in the order of their events.

A value costs memory however short it is (`[[],[],…]` grows 25-fold), so each counts for 16 bytes more.
"""
MAX_OTHERS = 10_000

_FAILURE_STANDS = timedelta(minutes=10)
"""A report that could not be computed is not tried again for this long."""

# A row beyond the limit ends the list: later rows would leave a gap before them.
_TAKEN = text("""
SELECT string_agg(line, E'\\n' ORDER BY seq) AS lines, count(*) AS taken
FROM (
    SELECT seq, line, sum(
        octet_length(words) + 16 * (length(words) - length(translate(words, '[{,', '')))
    ) OVER (ORDER BY seq) AS weight
    FROM (
        SELECT seq, data::text AS words, json_build_object(
            'journal', journal, 'seq', seq, 'session_id', session_id, 'at', at, 'data', data)::text AS line
        FROM gateway.dryrun_events
        WHERE session_id = :session_id AND seq <= :upto AND (type = 'discovery_reported') = :discoveries
            AND type <> 'collector_progressed'
        ORDER BY seq LIMIT :most
    ) AS first
) AS summed
WHERE weight <= :most_weight
""")
_COUNTED = text("""
SELECT count(*) FROM gateway.dryrun_events
WHERE session_id = :session_id AND seq <= :upto AND type <> 'collector_progressed'
""")

_ORIGIN = text("""
SELECT CASE
    WHEN count(f.due_at) > 0 THEN 'schedule' WHEN count(r.number) > 0 THEN 'experiment' ELSE 'person' END
FROM gateway.experiment_runs r
LEFT JOIN gateway.schedule_firings f ON f.experiment_id = r.experiment_id
WHERE r.session_id = :session_id
""")

type Origin = Literal["schedule", "experiment", "person"]


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything that determines a session's report."""

    stored: StoredSession
    upto: int
    """Sequence number of its newest event; 0 before the first."""
    last: bytes | None = None
    """The digest of the report that was kept when the events were removed: no other can be computed."""

    @property
    def digest(self) -> bytes:
        """A digest that is equal for equal reports."""
        return self.last or _digest(
            self.stored.view, self.upto, history_complete=self.stored.history_complete
        )

    @property
    def final(self) -> bool:
        """Whether the session has ended."""
        return self.stored.view.phase == "ended"


class EventsRemovedError(Exception):
    """A session's events were removed after its state was read: the report that is kept is its last."""


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A kept report, or the reason why there is none."""

    state: bytes
    report: bytes | None
    failure: str | None


def _digest(view: SessionView, upto: int, *, history_complete: bool) -> bytes:
    shown = view.model_dump_json()
    words = f"{REVISION} {upto} {history_complete} {shown}"
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()


async def find_state(connection: AsyncConnection, session_id: UUID) -> SessionState | None:
    """Return the session's state; None for an unknown session."""
    # The row first: if it says ended, every event of the session is already stored.
    stored = await sessions.find_stored(connection, session_id)
    if stored is None:
        return None
    if stored.view.queue_position is not None:
        # What it waits for changes with other sessions, and is in no report: none is computed for that.
        view = stored.view.model_copy(update={"queue_position": None, "reason": None})
        stored = replace(stored, view=view, held_places=())
    newest = select(func.max(dryrun_events.c.seq)).where(dryrun_events.c.session_id == session_id)
    upto = (await connection.execute(newest)).scalar_one() or 0
    return SessionState(stored, upto, (await _last_digests(connection, [session_id])).get(session_id))


async def find(connection: AsyncConnection, session_id: UUID) -> KeptReport | None:
    """Return the kept report of the session; an old failure is not returned."""
    found = await connection.execute(
        select(table.c.state, table.c.report, table.c.failure).where(
            table.c.session_id == session_id,
            table.c.failure.is_(None) | (table.c.computed_at > func.now() - _FAILURE_STANDS),
        )
    )
    row = found.mappings().one_or_none()
    return None if row is None else KeptReport(row["state"], row["report"], row["failure"])


async def read_inputs(connection: AsyncConnection, state: SessionState) -> Inputs:
    """Return the inputs of the report of `state`."""
    session_id = state.stored.view.id
    asked = {"session_id": session_id, "upto": state.upto}
    lines, taken = [], 0
    for discoveries, most in ((False, MAX_OTHERS), (True, MAX_DISCOVERIES)):
        bounds = {"discoveries": discoveries, "most": most, "most_weight": MAX_WEIGHT}
        row = (await connection.execute(_TAKEN, {**asked, **bounds})).one()
        lines.append(row.lines or "")
        taken += row.taken
    counted: int = (await connection.execute(_COUNTED, asked)).scalar_one()
    return Inputs.of(state.stored, counted - taken, *lines)


async def keep(
    connection: AsyncConnection,
    state: SessionState,
    *,
    figures: Figures | None = None,
    report: bytes | None = None,
    failure: str | None = None,
) -> Origin | None:
    """Keep a report, or the reason why there is none; a deleted session keeps none.

    Another process may have been faster: a report of a session that has ended meanwhile replaces nothing, nor
    does a failure a report of the same state.

    Returns who started the session when this is its first final report, so that each counts once. Raises
    EventsRemovedError instead of replacing a final report that no other can replace any more.
    """
    values = {
        "state": state.digest,
        "final": state.final,
        "computed_at": func.now(),
        "figures": None if figures is None else figures.model_dump(mode="json"),
        "report": report,
        "failure": failure,
    }
    session_id = state.stored.view.id
    locked = (
        select(dryrun_sessions.c.events_removed_at, dryrun_sessions.c.phase)
        .where(dryrun_sessions.c.id == session_id)
        .with_for_update(key_share=True)
    )
    session = (await connection.execute(locked)).one_or_none()
    if session is None or (session.phase == "ended" and not state.final):
        return None
    earlier = select(table.c.final, table.c.state).where(
        table.c.session_id == session_id, table.c.failure.is_(None)
    )
    kept = (await connection.execute(earlier)).one_or_none()
    was_final = kept is not None and kept.final
    if was_final and session.events_removed_at is not None and state.last is None:
        raise EventsRemovedError
    if failure is not None and kept is not None and kept.state == state.digest:
        return None
    await connection.execute(
        insert(table)
        .values(session_id=session_id, **values)
        .on_conflict_do_update(index_elements=[table.c.session_id], set_=values)
    )
    if was_final or report is None or not state.final:
        return None
    origin: Origin = (await connection.execute(_ORIGIN, {"session_id": session_id})).scalar_one()
    return origin


async def figures_of(connection: AsyncConnection, session_ids: Sequence[UUID]) -> dict[UUID, Figures | str]:
    """Return the figures of ended sessions, or the reason for their absence; unscored ones are left out.

    So is one that was scored before its last event, or before anything else of its report changed.
    """
    states = await _states_of_ended(connection, session_ids)
    found = await connection.execute(
        select(table.c.session_id.label("id"), table.c.state, table.c.figures, table.c.failure).where(
            table.c.session_id.in_(states)
        )
    )
    current = [row for row in found.mappings() if row["state"] == states[row["id"]]]
    kept = readable(current, lambda row: (row["id"], _figures_or_failure(row)), "a session's score")
    return dict(kept)


def _figures_or_failure(row: RowMapping) -> Figures | str:
    return row["failure"] or Figures.model_validate(row["figures"])


async def newest(connection: AsyncConnection, most: int) -> list[UUID]:
    """Return the newest sessions, newest first."""
    latest = await connection.execute(
        select(dryrun_sessions.c.id)
        .order_by(dryrun_sessions.c.requested_at.desc(), dryrun_sessions.c.id.desc())
        .limit(most)
    )
    return list(latest.scalars())


async def unscored(connection: AsyncConnection, session_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of the sessions that have ended and are not scored as they are, in their order."""
    states = await _states_of_ended(connection, session_ids)
    kept = await connection.execute(
        select(table.c.session_id, table.c.state).where(table.c.session_id.in_(states))
    )
    scored = {session_id for session_id, state in kept if state == states[session_id]}
    return [session_id for session_id in session_ids if session_id in states.keys() - scored]


async def _states_of_ended(connection: AsyncConnection, session_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the digest of the current state of each session that has ended."""
    histories = await sessions.find_histories(connection, session_ids)
    ended = {view.id: (view, complete) for view, complete in histories if view.phase == "ended"}
    newest = select(func.max(dryrun_events.c.seq)).where(dryrun_events.c.session_id == dryrun_sessions.c.id)
    found = await connection.execute(
        select(dryrun_sessions.c.id, newest.scalar_subquery()).where(dryrun_sessions.c.id.in_(ended))
    )
    last = await _last_digests(connection, list(ended))
    return {
        session_id: last.get(session_id)
        or _digest(ended[session_id][0], upto or 0, history_complete=ended[session_id][1])
        for session_id, upto in found
    }


async def _last_digests(connection: AsyncConnection, session_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the digests of the reports of sessions whose events were removed."""
    found = await connection.execute(
        select(table.c.session_id, table.c.state)
        .join(dryrun_sessions, dryrun_sessions.c.id == table.c.session_id)
        .where(table.c.session_id.in_(session_ids), dryrun_sessions.c.events_removed_at.is_not(None))
    )
    return {row.session_id: row.state for row in found}
