"""A dry-run session: its phase, and its outcome in the end."""

from enum import StrEnum
from operator import not_
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.named_criteria import BUILT_IN, CriteriaName
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_contract.template import TEMPLATE_ID

MAX_SEED = 9999


class Phase(StrEnum):
    """`queued → provisioning → waiting → scanning → (kept) → cleaning_up → ended`."""

    QUEUED = "queued"
    PROVISIONING = "provisioning"
    WAITING = "waiting"
    SCANNING = "scanning"
    KEPT = "kept"
    CLEANING_UP = "cleaning_up"
    ENDED = "ended"


class Outcome(StrEnum):
    """The outcome of a session; known when it has ended or before. A stopped session may have a report."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    EXPIRED = "expired"


class SessionRequest(Word):
    """Everything that a client may choose for a session: ids and numbers of what an operator installed."""

    template: str = Field(pattern=TEMPLATE_ID, examples=["small"])
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Selects a reproducible variant of a template with variants."""
    keep: bool = False
    """Keep the network after the scan until the session is stopped or expires."""
    scan: ScanChoice = NO_CHOICE


class StartRequest(SessionRequest):
    """What a client of the approval API may say; the orchestrator does not learn of the criteria."""

    criteria: CriteriaName | None = None
    """Stored criteria that the session is judged by; None: the default at its start."""

    def session(self) -> SessionRequest:
        """Return what the orchestrator is asked for."""
        return SessionRequest(**self.model_dump(exclude={"criteria"}))


class Session(Word):
    """A session as the orchestrator reports it."""

    id: UUID
    template: str
    template_digest: str
    seed: int
    keep: bool
    scan: ScanChoice = NO_CHOICE
    phase: Phase
    outcome: Outcome | None = None
    reason: str | None = None
    """One sentence when the outcome is not `completed`: what failed, which one, what to do next."""
    created_at: UtcTime
    expires_at: UtcTime | None = None
    """The deadline by which everything of it is removed; known once its network was created."""
    ended_at: UtcTime | None = None
    queue_position: int | None = None
    """1 for the next to start; only while queued."""
    prepared_at: UtcTime | None = None
    """When its network and targets were made ahead of the request; None when it started cold."""


type SessionPhase = Literal["requested"] | Phase
"""`requested` until the orchestrator has accepted the session, then its phase there."""


class SessionView(Word):
    """A session as the approval API shows it to clients, with who requested it and when."""

    id: UUID
    template: str
    template_digest: str
    seed: int
    keep: bool
    scan: ScanChoice = NO_CHOICE
    requested_by: str
    requested_at: UtcTime
    queue_position: int | None
    """1 for the next to start; null once it runs."""
    accepted_at: UtcTime | None
    """When the orchestrator accepted it."""
    phase: SessionPhase
    outcome: Outcome | None
    reason: str | None
    """What failed or what the session waits for, and what to do next."""
    expires_at: UtcTime | None
    ended_at: UtcTime | None
    prepared_at: UtcTime | None = None
    """When its network and targets were made ahead of the request: its deadline counts from then. Null for a
    session that started cold."""
    criteria: str = BUILT_IN
    """Name of the stored criteria that it is judged by, as they were at its start."""
    unread: Annotated[str | None, Field(exclude_if=not_)] = None
    """What another version stored of it that this one cannot read and leaves out; absent if there is none."""
