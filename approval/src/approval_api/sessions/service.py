"""Starting and stopping sessions: what is stored first, what the orchestrator does, what a failure leaves.

No transaction is open during a call to the orchestrator, so a slow answer holds no row and no connection.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.orchestrator.client import Asker
from approval_api.orchestrator.errors import (
    OrchestratorError,
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
)
from approval_api.sessions import admission, repository
from approval_api.sessions.admission import Limits
from approval_api.sessions.prepared import prepared_ids
from approval_api.sessions.stored import JudgedBy
from approval_api.web.problems import ProblemError, unknown
from dryrun_contract.pool import Pool
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Session, SessionRequest, SessionView
from dryrun_contract.template import Template

logger = logging.getLogger(__name__)


class Orchestrator(Protocol):
    """The orchestrator's calls for starting and stopping."""

    async def template(self, template_id: str, seed: int, scan: ScanChoice) -> Template:
        """Return the template as it is now, in the variant of `seed`, with the collectors of `scan`."""
        ...

    async def pool(self) -> Pool:
        """Return the sessions that are prepared."""
        ...

    async def put_session(self, session_id: UUID, request: SessionRequest, asker: Asker) -> Session:
        """Request a session."""
        ...

    async def stop_session(self, session_id: UUID, asker: Asker) -> Session:
        """Request its end."""
        ...

    def trace_request(self, session: SessionView) -> None:
        """Record how long its request took, where traces are exported."""
        ...


def unknown_session(session_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return unknown("session", session_id, "/api/v1/dryrun/sessions")


async def require(connection: AsyncConnection, session_id: UUID) -> SessionView:
    """Return the session. Raises a 404 problem when there is none."""
    session = await repository.find(connection, session_id)
    if session is None:
        raise unknown_session(session_id)
    return session


async def start(
    engine: AsyncEngine,
    orchestrator: Orchestrator,
    request: SessionRequest,
    asker: Asker,
    limits: Limits,
    also: Callable[[AsyncConnection, UUID], Awaitable[None]] | None = None,
    *,
    judged_by: JudgedBy | None = None,
) -> SessionView:
    """Store a session with its template and, when there is a free place, request it from the orchestrator.

    It is judged by `judged_by`, by default the built-in criteria. `also` is called with its id in the
    transaction that stores it; if it raises, nothing is stored.
    It takes the id of a session that is prepared, if there is one.
    Without a free place it waits, and the outbox continues when there is one. When the orchestrator stops
    answering in between, the session stays `requested` and the outbox continues.
    Raises ProblemError: the orchestrator's own when it refuses, 503 when it does not return the template,
    429 when too many sessions wait.
    """
    template = await orchestrator.template(request.template, request.seed, request.scan)
    async with engine.begin() as connection:
        # Whoever is turned away costs the orchestrator no look at its pool, and waits for none.
        await admission.require_room(connection, limits, asker.actor)
    prepared = await prepared_ids(orchestrator, request)
    session_id = uuid4()
    async with engine.begin() as connection:
        await admission.require_room(connection, limits, asker.actor)
        await repository.insert_requested(connection, session_id, request, template, asker.actor, judged_by)
        if also is not None:
            await also(connection, session_id)
        admitted = session_id in await admission.admit(connection, limits)
        if admitted:
            # One that waits must not hold what others could use now.
            session_id = await repository.take_prepared(connection, session_id, prepared)
    if admitted:
        await hand_over(engine, orchestrator, session_id, request, asker)
    async with engine.begin() as connection:
        return await require(connection, session_id)


async def hand_over(
    engine: AsyncEngine, orchestrator: Orchestrator, session_id: UUID, request: SessionRequest, asker: Asker
) -> None:
    """Request a stored session from the orchestrator and store its answer.

    Raises ProblemError, the orchestrator's own, when it refuses.
    """
    try:
        await orchestrator.put_session(session_id, request, asker)
    except OrchestratorRefusedError as error:
        async with engine.begin() as connection:
            await repository.mark_ended(connection, session_id, "failed", error.problem.in_one_line())
        raise
    except OrchestratorUnavailableError as error:
        async with engine.begin() as connection:
            await repository.explain_waiting(connection, session_id, f"{error}; trying again")
        return
    async with engine.begin() as connection:
        accepted = await repository.mark_accepted(connection, session_id)
        now = await require(connection, session_id)
    # Also when its first event was here before the answer, which then accepted it.
    orchestrator.trace_request(now)
    if not accepted and (now.accepted_at is None or now.outcome == "stopped"):
        # It was stopped or given up while the orchestrator was accepting it.
        await stop_late(orchestrator, session_id, asker)


async def stop_late(orchestrator: Orchestrator, session_id: UUID, asker: Asker) -> None:
    """Stop a session that was ended here while the orchestrator was accepting it."""
    try:
        await orchestrator.stop_session(session_id, asker)
    except OrchestratorError as error:
        logger.warning(
            "a session that was ended here was still accepted by the orchestrator and could not be stopped",
            extra={"session_id": str(session_id), "reason": str(error)},
        )


async def stop(
    engine: AsyncEngine, orchestrator: Orchestrator, session_id: UUID, asker: Asker
) -> SessionView:
    """Request a session's end; an ended one is returned unchanged, and one never accepted ends at once.

    Raises ProblemError: 404 for an unknown session, 503 when the orchestrator does not answer.
    """
    async with engine.begin() as connection:
        await repository.end_waiting(connection, session_id, f"stopped by {asker.actor} while it waited")
        session = await require(connection, session_id)
    if session.phase == "ended":
        return session
    may_be_unknown = session.phase == "requested"
    if not await _ask_to_stop(orchestrator, session_id, asker, may_be_unknown=may_be_unknown):
        reason = f"stopped by {asker.actor} before the orchestrator accepted it"
        async with engine.begin() as connection:
            was_never_taken = await repository.mark_ended(connection, session_id, "stopped", reason)
        if not was_never_taken:
            # The start was overtaken by this stop and has arrived since.
            await _ask_to_stop(orchestrator, session_id, asker, may_be_unknown=False)
    async with engine.begin() as connection:
        return await require(connection, session_id)


async def _ask_to_stop(
    orchestrator: Orchestrator, session_id: UUID, asker: Asker, *, may_be_unknown: bool
) -> bool:
    """Return whether the orchestrator knows the session. Raises ProblemError."""
    try:
        await orchestrator.stop_session(session_id, asker)
    except OrchestratorRefusedError as error:
        if error.problem.status != 404 or not may_be_unknown:
            raise
        return False
    return True
