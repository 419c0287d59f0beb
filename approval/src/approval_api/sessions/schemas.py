"""Sessions as this API's clients see them."""

from typing import Literal
from uuid import UUID

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.session import Outcome, Phase

type SessionPhase = Literal["requested"] | Phase
"""`requested` while the orchestrator has not taken the session yet; then the contract's phases."""


class SessionView(Word):
    """A session, with who asked for it when."""

    id: UUID
    template: str
    template_digest: str
    seed: int
    keep: bool
    requested_by: str
    requested_at: UtcTime
    queue_position: int | None
    """1 for the one that starts next; null once it runs."""
    accepted_at: UtcTime | None
    """When the orchestrator took it."""
    phase: SessionPhase
    outcome: Outcome | None
    reason: str | None
    """What failed or is waited for, and what to do next."""
    expires_at: UtcTime | None
    ended_at: UtcTime | None


class SessionList(Word):
    """Newest first; `next` is the cursor of the next page, null on the last."""

    sessions: tuple[SessionView, ...]
    next: str | None
