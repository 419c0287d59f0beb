"""Continues what a request could not finish: sessions that wait, and answers that never arrived."""

import logging
from collections.abc import Coroutine
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.rounds import apart, work_in_rounds
from approval_api.orchestrator.client import Asker
from approval_api.sessions import admission, repository
from approval_api.sessions.admission import Limits
from approval_api.sessions.repository import UnacceptedSession
from approval_api.sessions.service import Orchestrator, hand_over, stop_late
from approval_api.telemetry.metrics import Metrics
from approval_api.web.problems import ProblemError
from dryrun_contract.session import SessionRequest

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_IN_FLIGHT = timedelta(seconds=3)
"""A start younger than this is still handled by its own request."""
_OWN_NAME = "approval-api"


class Outbox:
    """Retries starts without an answer until there is one, or gives up."""

    def __init__(
        self,
        engine: AsyncEngine,
        orchestrator: Orchestrator,
        give_up_after: timedelta,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        """Give up on a start `give_up_after` its session got a place."""
        self._limits = limits
        self._engine = engine
        self._orchestrator = orchestrator
        self._give_up_after = give_up_after
        self._metrics = metrics

    async def run(self) -> None:
        """Work until cancelled; wait for the database when it is unreachable."""
        await work_in_rounds(self.work_once, "starts and stops", every=_RETRY_SECONDS)

    async def work_once(self, older_than: timedelta = _IN_FLIGHT) -> None:
        """Do what is due once, oldest first.

        That is: assign free places and request those sessions, retry starts without an answer, and repeat
        every stop that its start overtook.
        """
        async with self._engine.begin() as connection:
            fresh = await repository.admitted(connection, await admission.admit(connection, self._limits))
        for session in fresh:
            await _apart(session.id, self._ask(session))
        async with self._engine.begin() as connection:
            waiting = await repository.unaccepted(connection, older_than, self._give_up_after)
            to_stop = await repository.stopped_before_they_began(connection)
        for session_id in to_stop:
            asker = Asker(_OWN_NAME, f"outbox-{session_id}")
            await _apart(session_id, stop_late(self._orchestrator, session_id, asker))
        self._metrics.unaccepted.set(len(waiting))
        for session in waiting:
            await _apart(session.id, self._give_up(session.id) if session.given_up else self._ask(session))

    async def _ask(self, session: UnacceptedSession) -> None:
        asker = Asker(session.requested_by, f"outbox-{session.id}")
        request = SessionRequest.model_validate(session.stored)
        try:
            await hand_over(self._engine, self._orchestrator, session.id, request, asker)
        except ProblemError as error:
            logger.warning(
                "the orchestrator refused a session",
                extra={"session_id": str(session.id), "reason": error.problem.in_one_line()},
            )

    async def _give_up(self, session_id: UUID) -> None:
        reason = (
            f"the orchestrator did not accept the session within {self._give_up_after.total_seconds():g} s; "
            "see /readyz, then start again"
        )
        async with self._engine.begin() as connection:
            await repository.mark_ended(connection, session_id, "failed", reason)
        logger.error("gave up on a session", extra={"session_id": str(session_id), "reason": reason})


async def _apart(session_id: UUID, work: Coroutine[None, None, None]) -> None:
    await apart(work, "the outbox", session=str(session_id))
