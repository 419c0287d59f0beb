"""Rows of sessions that are prepared ahead, in the journal's table of sessions.

Nobody hears of a prepared session: its events wait in a table of their own, without numbers, and are
published by the transaction that claims it, after the event of its request. So no event precedes its session,
the sequence has no gap, and after a crash a session is either claimed with all its events or not at all.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from dryrun_contract.event import AddressesMapped, EventData, PhaseChanged, SessionQueued
from dryrun_contract.pool import ANY_TEMPLATE
from dryrun_contract.session import Phase
from dryrun_orchestrator.journal.event_log import InThread, StoredEvent
from dryrun_orchestrator.journal.records import DropCause, PoolState, SessionRecord, change_session, text_of

type Claim = Literal["warm", "network", "cold"]
"""How much of a prepared session is used: all of it, its network, or nothing."""


KEEP_DROPPED = timedelta(minutes=30)
"""The longest time that a session can last: until then a late claim finds the deadline that its id has."""


class PreparedSessions:
    """The prepared sessions of one journal; use `Journal.pool`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        transaction: InThread,
        publish: Callable[[UUID, Sequence[StoredEvent]], None],
        wake: Callable[[], None],
    ) -> None:
        """`publish` appends numbered events inside a transaction; `wake` says that there are new ones."""
        self._connection = connection
        self._transaction = transaction
        self._publish = publish
        self._wake = wake

    async def add(self, session: SessionRecord, *events: EventData) -> None:
        """Store a new session to be prepared; its events wait until it is claimed."""

        def add() -> None:
            self._connection.execute(
                "INSERT INTO sessions (id, template, template_digest, seed, keep, actor, phase, created_at,"
                " phase_since, installed, pool, prepared_at, placement) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    str(session.id), session.template, session.template_digest, session.seed, session.keep,
                    session.actor, session.phase, text_of(session.created_at), text_of(session.phase_since),
                    session.installed, PoolState.PREPARING, text_of(session.created_at), session.placement,
                ),
            )  # fmt: skip
            self.defer(session.id, [_stored(event) for event in events])

        await self._transaction(add)

    async def mark_ready(self, session_id: UUID, now: datetime) -> None:
        """Offer a session whose targets are all healthy, unless it was dropped or claimed meanwhile."""
        await self._move(
            session_id, (PoolState.PREPARING,), {"pool": PoolState.READY, "ready_at": text_of(now)}
        )

    async def drop(self, session_id: UUID, cause: DropCause, reason: str) -> bool:
        """Take a session out of the pool; False when it is no longer in it."""
        changes = {"pool": PoolState.DROPPING, "drop_cause": cause, "reason": reason}
        return await self._move(session_id, (PoolState.PREPARING, PoolState.READY), changes)

    async def mark_dropped(self, session_id: UUID, now: datetime) -> None:
        """Record that nothing of a dropped session is left, unless it was claimed meanwhile."""
        changes = {
            "pool": PoolState.DROPPED,
            "phase": Phase.ENDED,
            "ended_at": text_of(now),
            "subnet": None,
            "network_id": None,
        }
        await self._move(session_id, (PoolState.DROPPING,), changes)

    async def claim(
        self,
        claimer: SessionRecord,
        queued: SessionQueued,
        mapped: AddressesMapped | None = None,
        *,
        warm: bool,
    ) -> Claim | None:
        """Make a prepared session that of `claimer`; None unless one of its id, template and seed is there.

        Warm: it is ready and goes on as it is, in phase `scanning`, its events published. Of a network: in
        phase `provisioning`, with the addresses of its targets, `mapped`. Cold: it is queued like a new one;
        what is left of its network is named by `subnet`, and its deadline stays, because nothing prolongs the
        deadline of an id.
        """

        def claim() -> Claim | None:
            found = self._connection.execute(
                "SELECT pool, template, prepared_at, subnet, placement FROM sessions WHERE id = ?"
                " AND (template = ? AND seed = ? OR template = ?) AND pool IS NOT NULL",
                (str(claimer.id), claimer.template, claimer.seed, ANY_TEMPLATE),
            ).fetchone()
            if found is None:
                return None
            if warm and found["pool"] == PoolState.READY:
                prepared_at = datetime.fromisoformat(found["prepared_at"])
                accepted = queued.model_copy(update={"prepared_at": prepared_at})
                if found["template"] != ANY_TEMPLATE:
                    self._claim_warm(claimer, accepted)
                    return "warm"
                if mapped is not None:
                    self._claim_network(claimer, accepted, mapped)
                    return "network"
            # Where something may be left of it, that is known until it is gone; then it is placed anew.
            self._claim_cold(claimer, queued, found["placement"] if found["subnet"] else None)
            return "cold"

        claimed = await self._transaction(claim)
        if claimed:
            self._wake()
        return claimed

    # inside the journal's thread

    def defer(self, session_id: UUID, events: Sequence[StoredEvent]) -> bool:
        """Keep the events of a prepared session until it is claimed; False for any other session."""
        row = self._connection.execute(
            "SELECT pool FROM sessions WHERE id = ?", (str(session_id),)
        ).fetchone()
        if row is None or row["pool"] is None:
            return False
        if row["pool"] in (PoolState.PREPARING, PoolState.READY):
            self._connection.executemany(
                "INSERT INTO prepared_events (session_id, type, data) VALUES (?,?,?)",
                [(str(session_id), *event) for event in events],
            )
        return True

    def forget(self, now: datetime) -> None:
        """Delete sessions that were dropped more than KEEP_DROPPED ago.

        By then the deadline of each has passed: its id can start nothing any more.
        """
        self._connection.execute(
            "DELETE FROM sessions WHERE pool = ? AND ended_at < ?",
            (PoolState.DROPPED, text_of(now - KEEP_DROPPED)),
        )

    def _claim_warm(self, claimer: SessionRecord, queued: SessionQueued) -> None:
        self._hand_over(claimer, Phase.SCANNING)
        scanning = PhaseChanged(phase=Phase.SCANNING)
        self._publish(claimer.id, [_stored(queued), *self._latest_events(claimer.id), _stored(scanning)])
        self._forget_events(claimer.id)

    def _claim_network(self, claimer: SessionRecord, queued: SessionQueued, mapped: AddressesMapped) -> None:
        self._hand_over(claimer, Phase.PROVISIONING)
        # How a network without targets came to be ready is not the course of this session.
        waited = {event[0]: event for event in self._latest_events(claimer.id)}
        network, proof = waited["network_created"], waited["isolation_probed"]
        provisioning = PhaseChanged(phase=Phase.PROVISIONING)
        self._publish(claimer.id, [_stored(queued), _stored(provisioning), network, _stored(mapped), proof])
        self._forget_events(claimer.id)

    def _hand_over(self, claimer: SessionRecord, phase: Phase, **others: str | None) -> None:
        """Make the row that of `claimer`, in `phase`."""
        changes = {
            "pool": None,
            "template": claimer.template,
            "template_digest": claimer.template_digest,
            "seed": claimer.seed,
            "installed": claimer.installed,
            "actor": claimer.actor,
            "keep": claimer.keep,
            "traceparent": claimer.traceparent,
            "scan": claimer.scan.model_dump_json(),
            "created_at": claimer.created_at,
            "phase": phase,
            "phase_since": claimer.created_at,
            **others,
        }
        change_session(self._connection, claimer.id, changes)

    def _claim_cold(self, claimer: SessionRecord, queued: SessionQueued, placement: str | None) -> None:
        self._hand_over(
            claimer,
            Phase.QUEUED,
            reason=None,
            ended_at=None,
            prepared_at=None,
            ready_at=None,
            drop_cause=None,
            placement=placement,
        )
        self._connection.execute("DELETE FROM targets WHERE session_id = ?", (str(claimer.id),))
        self._publish(claimer.id, [_stored(queued)])
        self._forget_events(claimer.id)

    def _latest_events(self, session_id: UUID) -> list[StoredEvent]:
        """Return the events that waited; of the states of one target only the last, all being past."""
        rows = self._connection.execute(
            "SELECT type, data FROM prepared_events WHERE session_id = ? ORDER BY n", (str(session_id),)
        ).fetchall()
        last = {
            json.loads(row["data"])["service"]: place
            for place, row in enumerate(rows)
            if row["type"] == "target_changed"
        }
        kept = set(last.values())
        return [
            (row["type"], row["data"])
            for place, row in enumerate(rows)
            if row["type"] != "target_changed" or place in kept
        ]

    def _forget_events(self, session_id: UUID) -> None:
        self._connection.execute("DELETE FROM prepared_events WHERE session_id = ?", (str(session_id),))

    async def _move(
        self, session_id: UUID, before: Sequence[PoolState], changes: Mapping[str, str | None]
    ) -> bool:
        def move() -> bool:
            row = self._connection.execute(
                "SELECT pool FROM sessions WHERE id = ?", (str(session_id),)
            ).fetchone()
            if row is None or row["pool"] not in before:
                return False
            change_session(self._connection, session_id, changes)
            if changes["pool"] == PoolState.DROPPING:
                self._forget_events(session_id)
            return True

        return await self._transaction(move)


def _stored(event: EventData) -> StoredEvent:
    return event.type, event.model_dump_json()
