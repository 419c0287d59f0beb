"""Carries experiments out: starts their sessions one after another through the queue, measures, sums up.

The next is requested once none of that person's experiments has a session waiting; several may run at once.

All state is in PostgreSQL. A run gets its session in the transaction that stores the session, so that
whatever is killed, and however many processes work, no run has two.
"""

import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.computing.worker_process import WorkFailedError
from approval_api.database.rounds import apart, work_in_rounds
from approval_api.experiments import measured_runs, repository
from approval_api.experiments.calculations import Calculations
from approval_api.experiments.measured_runs import EndedRun
from approval_api.experiments.plan import planned_run
from approval_api.experiments.repository import OpenExperiment
from approval_api.orchestrator.client import Asker
from approval_api.reports.service import Reports
from approval_api.sessions import service as sessions
from approval_api.sessions.admission import Limits
from approval_api.sessions.service import Orchestrator
from approval_api.web.problems import ProblemError
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.session import Outcome

logger = logging.getLogger(__name__)

_SUM_UP_AGAIN_SECONDS = 60.0
_REST_AFTER_FAILURE = 10
"""Rest this many times as long as a failed attempt took: what cannot be summed up takes a tenth of the
time."""


class _TakenError(Exception):
    """Another process has started this run, or the experiment was stopped."""


class Conductor:
    """Works on all experiments with `run`, for the life of the process; several processes may."""

    def __init__(
        self,
        engine: AsyncEngine,
        orchestrator: Orchestrator,
        reports: Reports,
        limits: Limits,
        may_run: Callable[[str], Awaitable[bool]],
        calculations: Calculations,
    ) -> None:
        """Start sessions within `limits`, for people of whom `may_run` says so; measure by `reports`."""
        self._engine = engine
        self._orchestrator = orchestrator
        self._reports = reports
        self._limits = limits
        self._may_run = may_run
        self._calculations = calculations
        self._failed_at: dict[UUID, float] = {}
        """When an experiment could not be summed up last."""
        self._try_again_at = -math.inf
        """Before this, none of those is tried again: starting and measuring wait meanwhile."""

    async def run(self) -> None:
        """Work until cancelled; wait for a database that is unreachable."""
        await work_in_rounds(self.work_once, "experiments")

    async def work_once(self) -> None:
        """Start what is due, measure what has ended, sum up what is new."""
        # Mostly there is nothing: one connection finds that out, and costs a third of three.
        async with self._engine.connect() as connection:
            waiting = await repository.open_experiments(connection)
            ended = await measured_runs.to_measure(connection)
            stale = await measured_runs.not_summed_up(connection)
        for experiment in waiting:
            await self._apart(experiment.id, self._start_next(experiment))
        for run in ended:
            await self._apart(run.experiment_id, self._measure(run))
        if ended:
            async with self._engine.connect() as connection:
                stale = await measured_runs.not_summed_up(connection)
        for experiment_id in stale:
            await self._apart(experiment_id, self._sum_up(experiment_id))

    async def _apart(self, experiment_id: UUID, work: Coroutine[None, None, None]) -> None:
        """Do one thing for one experiment; what fails there is no other one's concern."""
        await apart(work, "an experiment", experiment=str(experiment_id))

    async def _start_next(self, experiment: OpenExperiment) -> None:
        # Each time: a role may be withdrawn while an experiment runs for hours.
        if not await self._may_run(experiment.requested_by):
            logger.warning(
                "an experiment is stopped: the person who requested it may not start sessions any more",
                extra={"experiment": str(experiment.id), "person": experiment.requested_by},
            )
            async with self._engine.begin() as connection:
                await repository.set_stopped(connection, experiment.id, stopped=True)
            return
        async with self._engine.connect() as connection:
            number = await repository.next_number(connection, experiment.id)
        if number is None:
            return

        async def link(connection: AsyncConnection, session_id: UUID) -> None:
            if not await repository.link(connection, experiment.id, number, session_id):
                raise _TakenError

        wanted = planned_run(ExperimentRequest.model_validate(experiment.stored), number).session()
        asker = Asker(experiment.requested_by, f"experiment-{experiment.id}-{number}")
        try:
            await sessions.start(
                self._engine,
                self._orchestrator,
                wanted,
                asker,
                self._limits,
                link,
                judged_by=experiment.judged_by,
            )
        except _TakenError:
            return
        except ProblemError as error:
            if not error.may_heal:
                # One that has a session fails with it, as does one whose session another process stored.
                async with self._engine.begin() as connection:
                    reason = error.problem.in_one_line()
                    await repository.fail(connection, experiment.id, number, None, reason)

    async def _measure(self, run: EndedRun) -> None:
        failure: str | None = None
        measured: dict[str, object] | None = None
        if run.outcome != Outcome.COMPLETED:
            failure = f"the session {run.outcome}: {run.reason or 'no reason is known'}"
        else:
            try:
                _, kept = await self._reports.write(run.session_id, "json", "own")
                read = await self._calculations.measure(kept)
                measured = None if read is None else read.model_dump(mode="json")
                failure = None if measured is not None else "its report has no scores"
            except ProblemError as error:
                if error.problem.type.endswith(":busy") or (error.may_heal and run.ended_lately):
                    return
                failure = error.problem.in_one_line()
            except (WorkFailedError, ValidationError) as error:
                failure = f"it could not be measured: {error}"
        async with self._engine.begin() as connection:
            if measured is not None:
                await measured_runs.keep_measured(connection, run.experiment_id, run.number, measured)
            else:
                await repository.fail(
                    connection, run.experiment_id, run.number, run.session_id, failure or ""
                )

    async def _sum_up(self, experiment_id: UUID) -> None:
        """Keep results of all runs so far; what could not be summed up is tried again, older results stay."""
        began, failed_at = time.monotonic(), self._failed_at.get(experiment_id)
        if failed_at is not None and began < max(failed_at + _SUM_UP_AGAIN_SECONDS, self._try_again_at):
            return
        async with self._engine.connect() as connection:
            request, measured, lines = await measured_runs.measured_lines(connection, experiment_id)
        try:
            results = (await self._calculations.sum_up(request, lines)).model_dump(mode="json")
            async with self._engine.begin() as connection:
                await measured_runs.store_results(connection, experiment_id, results, measured)
        except Exception:
            self._failed_at[experiment_id] = ended = time.monotonic()
            self._try_again_at = ended + _REST_AFTER_FAILURE * (ended - began)
            raise
        self._failed_at.pop(experiment_id, None)
