"""Rows of `dryrun_sessions`. Every function works inside the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import RowMapping, and_, case, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.storable import storable_text
from approval_api.database.tables import dryrun_sessions as table
from approval_api.sessions.admission import waiting
from approval_api.sessions.held_places import HOLDING, WAITING_REASON, HeldPlace, kept_first, waiting_reason
from approval_api.sessions.stored import JudgedBy, StoredSession
from dryrun_contract.base import Word
from dryrun_contract.faults import first_fault
from dryrun_contract.named_criteria import BUILT_IN
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_contract.session import SessionRequest, SessionView
from dryrun_contract.template import Template

_others = table.alias("others")
_WAITING_PHASES = ("requested", "queued")
_queue_position = case(
    (
        table.c.phase.in_(_WAITING_PHASES),
        select(func.count())
        .where(
            _others.c.phase.in_(_WAITING_PHASES),
            tuple_(_others.c.requested_at, _others.c.id) <= tuple_(table.c.requested_at, table.c.id),
        )
        .scalar_subquery(),
    )
).label("queue_position")
"""Among sessions that wait for a place here and those that the orchestrator has not started yet."""

_SURELY_QUEUED = timedelta(seconds=2)
"""The orchestrator takes less to start a session that finds a place."""
_waits = or_(
    waiting,
    and_(
        table.c.phase == "queued",
        table.c.reason.is_(None),
        table.c.accepted_at < func.now() - _SURELY_QUEUED,
    ),
).label("waits")
"""It found no place, here or at the orchestrator, which states what else it waits for."""

_MOST_REASON = 2000
_LEFT_OUT = {"template_snapshot", "history_complete", "reason", "criteria"}
_COLUMNS = [
    *(column for column in table.c if column.name not in _LEFT_OUT),
    func.left(table.c.reason, _MOST_REASON).label("reason"),
    _queue_position,
    _waits,
]
"""The orchestrator writes reasons of any length; lists have up to 200 sessions."""


@dataclass(frozen=True, slots=True)
class UnacceptedSession:
    """A session that the orchestrator has not accepted yet."""

    id: UUID
    stored: object
    """Its request as it is stored, perhaps by another version."""
    requested_by: str
    given_up: bool
    """It was retried for as long as the settings allow."""


async def _views(
    connection: AsyncConnection, rows: Sequence[RowMapping]
) -> list[tuple[SessionView, Sequence[HeldPlace]]]:
    """Return sessions. One that waits for a place comes with those that hold the places, and says so.

    Where none stands on the engine, it says what the first of those that have a place waits for.
    """
    if not any(row["waits"] for row in rows):
        return [(_view(row), ()) for row in rows]
    held = await _held_places(connection)
    stuck = None if held else await _first_stuck(connection)
    return [(_view(row, held, stuck), held) if row["waits"] else (_view(row), ()) for row in rows]


async def _first_stuck(connection: AsyncConnection) -> str | None:
    """Return what the oldest session waits for that has a place and cannot start, None if none says so."""
    stuck = (
        select(table.c.id, func.left(table.c.reason, _MOST_REASON).label("reason"))
        .where(table.c.phase.in_(_WAITING_PHASES), ~waiting, table.c.reason.is_not(None))
        .order_by(table.c.requested_at, table.c.id)
        .limit(1)
    )
    first = (await connection.execute(stuck)).one_or_none()
    return None if first is None else f"waiting in the queue behind {str(first.id)[:8]}: {first.reason}"


async def _held_places(connection: AsyncConnection) -> list[HeldPlace]:
    found = await connection.execute(
        select(table.c.id, table.c.phase, table.c.requested_by, table.c.expires_at).where(
            table.c.phase.in_(HOLDING)
        )
    )
    return kept_first(HeldPlace(*row) for row in found)


def _read[W: Word](model: type[W], stored: object, what: str) -> tuple[W | None, str | None]:
    """Return a stored value, or what to say of one that another version stored and this one cannot read."""
    try:
        return model.model_validate(stored), None
    except ValidationError as error:
        why = first_fault(error, what)[:500]
        return None, f"another version stored {what}, which this one cannot read: {why}"


def _view(row: RowMapping, held: Sequence[HeldPlace] = (), stuck: str | None = None) -> SessionView:
    """Return the row; what another version stored must hide neither the session nor the rest of a list."""
    position = row["queue_position"]
    scan, unread = _read(ScanChoice, row["scan"], "how it scans")
    return SessionView(
        id=row["id"],
        template=row["template"],
        template_digest=row["digest"],
        seed=row["seed"],
        keep=row["keep"],
        scan=scan or NO_CHOICE,
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        queue_position=position,
        accepted_at=row["accepted_at"],
        phase=row["phase"],
        outcome=row["outcome"],
        reason=waiting_reason(held, row["requested_by"], position) if held else stuck or row["reason"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        prepared_at=row["prepared_at"],
        criteria=row["criteria_name"] or BUILT_IN,
        unread=unread,
    )


async def insert_requested(
    connection: AsyncConnection,
    session_id: UUID,
    request: SessionRequest,
    template: Template,
    actor: str,
    judged_by: JudgedBy | None = None,
) -> None:
    """Store a new session with template and criteria as they are now; later changes do not affect it."""
    await connection.execute(
        insert(table).values(
            id=session_id,
            template=request.template,
            digest=template.digest,
            seed=request.seed,
            keep=request.keep,
            scan=request.scan.model_dump(mode="json"),
            requested_by=actor,
            requested_at=func.now(),
            phase="requested",
            reason=WAITING_REASON,
            template_snapshot=template.model_dump(mode="json"),
            history_complete=True,
            criteria_name=judged_by.name if judged_by else None,
            criteria=dict(judged_by.criteria) if judged_by else None,
        )
    )


async def take_prepared(connection: AsyncConnection, session_id: UUID, prepared: Collection[UUID]) -> UUID:
    """Give a new session the first of the `prepared` ids that no session has; return its id."""
    for candidate in prepared:
        try:
            async with connection.begin_nested():
                await connection.execute(update(table).where(table.c.id == session_id).values(id=candidate))
        except IntegrityError:
            continue
        return candidate
    return session_id


async def find(connection: AsyncConnection, session_id: UUID) -> SessionView | None:
    """Return the session, or None."""
    result = await connection.execute(select(*_COLUMNS).where(table.c.id == session_id))
    found = await _views(connection, result.mappings().all())
    return found[0][0] if found else None


async def find_stored(connection: AsyncConnection, session_id: UUID) -> StoredSession | None:
    """Return the session with its template, or None."""
    columns = (*_COLUMNS, table.c.template_snapshot, table.c.history_complete, table.c.criteria)
    found = await connection.execute(select(*columns).where(table.c.id == session_id))
    row = found.mappings().one_or_none()
    if row is None:
        return None
    snapshot = row["template_snapshot"]
    ((view, held),) = await _views(connection, [row])
    template, unread = (None, None) if snapshot is None else _read(Template, snapshot, "its template")
    return StoredSession(
        view=view if unread is None else view.model_copy(update={"unread": view.unread or unread}),
        template=template,
        history_complete=row["history_complete"],
        criteria=row["criteria"],
        held_places=tuple(held),
    )


async def find_histories(
    connection: AsyncConnection, session_ids: Collection[UUID]
) -> list[tuple[SessionView, bool]]:
    """Return sessions, each with whether all its events are here.

    Unknown ids are left out, and what another version stored and this one cannot read.
    """
    found = await connection.execute(
        select(*_COLUMNS, table.c.history_complete).where(table.c.id.in_(session_ids))
    )
    histories = [(_view(row), row["history_complete"]) for row in found.mappings()]
    # The others are scored all the same; a request for the report of this one says why there is none.
    return [(view, complete) for view, complete in histories if view.unread is None]


async def page(
    connection: AsyncConnection, limit: int, before: tuple[datetime, UUID] | None
) -> list[SessionView]:
    """Return up to `limit` sessions that were requested before the given one, newest first."""
    query = select(*_COLUMNS).order_by(table.c.requested_at.desc(), table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(table.c.requested_at, table.c.id) < before)
    rows = (await connection.execute(query)).mappings().all()
    return [view for view, _ in await _views(connection, rows)]


async def mark_accepted(connection: AsyncConnection, session_id: UUID) -> bool:
    """Store that the orchestrator accepted the session; False when it is no longer waiting for that."""
    result = await connection.execute(
        update(table)
        .where(table.c.id == session_id, table.c.phase == "requested")
        .values(phase="queued", accepted_at=func.now(), reason=None)
    )
    return result.rowcount == 1


async def mark_ended(connection: AsyncConnection, session_id: UUID, outcome: str, reason: str) -> bool:
    """End a session that the orchestrator never accepted; False when it did, or it has already ended."""
    result = await connection.execute(
        update(table)
        .where(table.c.id == session_id, table.c.phase == "requested")
        .values(phase="ended", outcome=outcome, reason=storable_text(reason), ended_at=func.now())
    )
    return result.rowcount == 1


async def stopped_before_they_began(connection: AsyncConnection) -> list[UUID]:
    """Return sessions that were stopped here while their start was under way, and that run nevertheless."""
    result = await connection.execute(
        select(table.c.id).where(
            table.c.outcome == "stopped", table.c.phase.not_in(("requested", "cleaning_up", "ended"))
        )
    )
    return list(result.scalars())


async def end_waiting(connection: AsyncConnection, session_id: UUID, reason: str) -> None:
    """Stop a session if it waits for a place."""
    await connection.execute(
        update(table)
        .where(table.c.id == session_id, waiting)
        .values(phase="ended", outcome="stopped", reason=reason, ended_at=func.now())
    )


async def explain_waiting(connection: AsyncConnection, session_id: UUID, reason: str) -> None:
    """Store why a session is still only requested."""
    await connection.execute(
        update(table)
        .where(table.c.id == session_id, table.c.phase == "requested")
        .values(reason=storable_text(reason))
    )


async def unaccepted(
    connection: AsyncConnection, older_than: timedelta, give_up_after: timedelta, limit: int = 20
) -> list[UnacceptedSession]:
    """Return sessions that got a place `older_than` ago and wait for the orchestrator, oldest first."""
    result = await connection.execute(
        select(*_COLUMNS, (table.c.admitted_at < func.now() - give_up_after).label("given_up"))
        .where(table.c.phase == "requested", table.c.admitted_at <= func.now() - older_than)
        .order_by(table.c.requested_at)
        .limit(limit)
    )
    return [_unaccepted(row) for row in result.mappings()]


async def admitted(connection: AsyncConnection, ids: Collection[UUID]) -> list[UnacceptedSession]:
    """Return those of `ids` that wait for the orchestrator, oldest first."""
    if not ids:
        return []
    result = await connection.execute(
        select(*_COLUMNS, literal(False).label("given_up"))
        .where(table.c.phase == "requested", table.c.id.in_(ids))
        .order_by(table.c.requested_at)
    )
    return [_unaccepted(row) for row in result.mappings()]


def _unaccepted(row: RowMapping) -> UnacceptedSession:
    return UnacceptedSession(
        id=row["id"],
        stored={name: row[name] for name in ("template", "seed", "keep", "scan")},
        requested_by=row["requested_by"],
        given_up=row["given_up"],
    )
