"""Rows of the journal: a session, a target, a collector run."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Self
from uuid import UUID

from dryrun_contract.event import SessionQueued, TargetChanged, TargetState
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_contract.session import Outcome, Phase, Session
from dryrun_orchestrator.engine.host_ids import split


class PoolState(StrEnum):
    """The state of a prepared session that nobody has claimed: `preparing → ready → dropping → dropped`."""

    PREPARING = "preparing"
    READY = "ready"
    DROPPING = "dropping"
    """It cannot be claimed warm any more, and its network and targets are being removed."""
    DROPPED = "dropped"
    """Nothing of it is left. Its row stays until its deadline: whoever still claims it starts cold."""


class DropCause(StrEnum):
    """Why a prepared session was dropped."""

    FAILED = "failed"
    """It could not be prepared."""
    UNHEALTHY = "unhealthy"
    ISOLATION = "isolation"
    CHANGED = "changed"
    """Images, allowlist, collectors or templates are others now."""
    DEADLINE = "deadline"
    ROOM = "room"
    """A queued session needs its place."""
    MEMORY = "memory"
    UNWANTED = "unwanted"
    """The settings ask for fewer."""
    HOST = "host"
    """Its host is drained, or lost."""
    SHUTDOWN = "shutdown"


def text_of(moment: datetime) -> str:
    """Return a moment as the journal stores it, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def change_session(connection: sqlite3.Connection, session_id: UUID, changes: Mapping[str, object]) -> None:
    """Set columns of a session's row; of none, nothing is written."""
    if not changes:
        return
    values = [text_of(value) if isinstance(value, datetime) else value for value in changes.values()]
    # Names of columns are those of this package, never input.
    assignments = ", ".join(f"{column} = ?" for column in changes)
    connection.execute(
        f"UPDATE sessions SET {assignments} WHERE id = ?",  # noqa: S608 - names, no values
        (*values, str(session_id)),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A session's row. `phase` is the desired state; the engine's labels show the actual one."""

    id: UUID
    template: str
    template_digest: str
    seed: int
    keep: bool
    actor: str
    phase: Phase
    phase_since: datetime
    created_at: datetime
    outcome: Outcome | None = None
    reason: str | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    subnet: str | None = None
    network_id: str | None = None
    stop_requested_at: datetime | None = None
    traffic_before: str | None = None
    installed: str | None = None
    """Digest of the operator's files at its start; None for a session of a version that kept none."""
    scan: ScanChoice = NO_CHOICE
    pool: PoolState | None = None
    """None for somebody's session, claimed from the pool or not."""
    prepared_at: datetime | None = None
    """When it was begun ahead of its request; None for a session that started cold."""
    ready_at: datetime | None = None
    drop_cause: DropCause | None = None
    placement: str | None = None
    """Where its containers stand, as `fleet.placement` has it; None where there is no fleet."""
    traceparent: str | None = None
    """The span of its request, as the approval API named it; None where that exports no traces."""
    held_overlay: str | None = None
    """Name of its overlay, for as long as the swarm holds it after the session's end."""

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """Read a row of table `sessions`."""
        values = {field.name: row[field.name] for field in fields(cls)}
        moments = (
            "phase_since", "created_at", "expires_at", "ended_at", "stop_requested_at", "prepared_at",
            "ready_at",
        )  # fmt: skip
        return cls(
            **{
                **values,
                **{name: _moment(values[name]) for name in moments},
                "id": UUID(values["id"]),
                "scan": ScanChoice.model_validate_json(values["scan"] or "{}"),
                "keep": bool(values["keep"]),
                "phase": Phase(values["phase"]),
                "outcome": Outcome(values["outcome"]) if values["outcome"] else None,
                "pool": PoolState(values["pool"]) if values["pool"] else None,
                "drop_cause": DropCause(values["drop_cause"]) if values["drop_cause"] else None,
            }
        )

    @property
    def is_proved(self) -> bool:
        """Return whether its network was proved to be isolated before anybody claimed it."""
        return self.ready_at is not None

    def queued(self) -> SessionQueued:
        """Return the event of its request."""
        return SessionQueued(
            template=self.template,
            template_digest=self.template_digest,
            seed=self.seed,
            keep=self.keep,
            scan=self.scan,
            actor=self.actor,
            installed_digest=f"sha256:{self.installed}" if self.installed else None,
        )

    def word(self, queue_position: int | None = None) -> Session:
        """Return the session in the contract's form."""
        return Session(
            id=self.id,
            template=self.template,
            template_digest=self.template_digest,
            seed=self.seed,
            keep=self.keep,
            scan=self.scan,
            phase=self.phase,
            outcome=self.outcome,
            reason=self.reason,
            created_at=self.created_at,
            expires_at=self.expires_at,
            ended_at=self.ended_at,
            queue_position=queue_position,
            prepared_at=self.prepared_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRecord:
    """A target's last reported state; each change is one event."""

    service: str
    image: str
    image_id: str
    container_id: str
    address: str
    state: TargetState
    harm: Literal["died", "unhealthy", "out_of_memory"] | None = None

    @property
    def host(self) -> str | None:
        """Return the host that it stands on; None where there is no fleet."""
        return split(self.container_id)[0]

    def changed(self, detail: str | None = None) -> TargetChanged:
        """Return the event that reports its state."""
        return TargetChanged(
            service=self.service,
            image=self.image,
            image_id=self.image_id,
            state=self.state,
            detail=detail,
            host=self.host,
        )

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """Read a row of table `targets`."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """How far a collector's output was read: `lines` are stored, and skipped when the log is read again."""

    collector: str
    run: str
    state: Literal["starting", "running", "renewing", "ended"]
    """`renewing`: its container, which has done nothing, is being exchanged for another."""
    started_at: datetime
    lines: int = 0
    discoveries: int = 0
    warnings: int = 0

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        """Read a row of table `runs`."""
        values = {field.name: row[field.name] for field in fields(cls)}
        return cls(**{**values, "started_at": datetime.fromisoformat(values["started_at"])})
