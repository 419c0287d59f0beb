"""Runs experiments: starts their sessions one at a time through the queue, measures them, sums up.

All state is in PostgreSQL. A run gets its session in the transaction that stores the session, so that
whatever is killed, and however many processes work, no run has two.
"""

import asyncio
import json
import logging
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.experiments import repository
from approval_api.experiments.plan import planned_run
from approval_api.experiments.repository import OpenExperiment
from approval_api.orchestrator.client import Asker, OrchestratorRefusedError, OrchestratorUnavailableError
from approval_api.reports.service import Reports
from approval_api.reports.worker_process import WorkerProcess, WorkFailedError
from approval_api.sessions import service as sessions
from approval_api.sessions.admission import Limits
from approval_api.sessions.service import Orchestrator, orchestrator_unavailable
from approval_api.web.problems import ProblemError
from dryrun_contract.experiment import Experiment, ExperimentRequest, ExperimentResults
from dryrun_contract.session import Outcome

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0
_WORK_SECONDS = 60.0
_ANSWER_BYTES = 8 * 1024 * 1024
_MAY_HEAL = frozenset({429, 502, 503, 504})


class _TakenError(Exception):
    """Another process has started this run, or the experiment was stopped."""


def unknown_experiment(experiment_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return ProblemError(
        "unknown-experiment",
        404,
        f"there is no experiment {experiment_id}; GET /api/v1/dryrun/experiments lists them",
        title="Unknown experiment",
    )


class Experiments:
    """All experiments; `run` works on them for the life of the process."""

    def __init__(
        self, engine: AsyncEngine, orchestrator: Orchestrator, reports: Reports, limits: Limits
    ) -> None:
        """Start sessions within `limits`, and measure them by their `reports`."""
        self._engine = engine
        self._orchestrator = orchestrator
        self._reports = reports
        self._limits = limits
        self._worker = WorkerProcess(
            "approval_api.experiments.worker",
            "summing up an experiment",
            seconds=_WORK_SECONDS,
            waiting=4,
            answer_bytes=_ANSWER_BYTES,
        )

    async def request(self, wanted: ExperimentRequest, actor: str) -> Experiment:
        """Store an experiment; its sessions start by themselves.

        Every arm is tried on every template first. Raises ProblemError: 422 or 404 with what cannot be
        chosen, 503 when the orchestrator does not answer.
        """
        for template in wanted.templates:
            for arm in wanted.arms():
                try:
                    await self._orchestrator.template(template, wanted.seeds[0], arm.scan)
                except OrchestratorRefusedError as error:
                    raise ProblemError.passing_on(error.problem) from error
                except OrchestratorUnavailableError as error:
                    raise orchestrator_unavailable(error) from error
        experiment_id = uuid4()
        async with self._engine.begin() as connection:
            await repository.insert_requested(connection, experiment_id, wanted, actor)
        return await self.show(experiment_id)

    async def show(self, experiment_id: UUID) -> Experiment:
        """Return an experiment. Raises a 404 problem."""
        async with self._engine.connect() as connection:
            found = await repository.find(connection, experiment_id)
        if found is None:
            raise unknown_experiment(experiment_id)
        return found

    async def stop(self, experiment_id: UUID) -> Experiment:
        """Start no more of its sessions; those under way end by themselves. Raises a 404 problem."""
        return await self._set_stopped(experiment_id, stopped=True)

    async def go_on(self, experiment_id: UUID) -> Experiment:
        """Continue a stopped experiment. Raises a 404 problem."""
        return await self._set_stopped(experiment_id, stopped=False)

    async def _set_stopped(self, experiment_id: UUID, *, stopped: bool) -> Experiment:
        async with self._engine.begin() as connection:
            known = await repository.set_stopped(connection, experiment_id, stopped=stopped)
        if not known:
            raise unknown_experiment(experiment_id)
        return await self.show(experiment_id)

    async def run(self) -> None:
        """Work until cancelled; wait for a database that is unreachable."""
        while True:
            pause = _LOOK_SECONDS
            try:
                await self.work_once()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("experiments wait for the database", extra={"reason": type(error).__name__})
                pause = _RETRY_SECONDS
            await asyncio.sleep(pause)

    async def work_once(self) -> None:
        """Start what is due, measure what has ended, sum up what is new."""
        async with self._engine.connect() as connection:
            waiting = await repository.open_experiments(connection)
        for experiment in waiting:
            await self._start_next(experiment)
        async with self._engine.connect() as connection:
            ended = await repository.to_measure(connection)
        for experiment_id, number, session_id, outcome, reason in ended:
            await self._measure(experiment_id, number, session_id, outcome, reason)
        async with self._engine.connect() as connection:
            stale = await repository.not_summed_up(connection)
        for experiment_id in stale:
            await self._sum_up(experiment_id)

    async def close(self) -> None:
        """End the worker process."""
        await self._worker.close()

    async def _start_next(self, experiment: OpenExperiment) -> None:
        async with self._engine.connect() as connection:
            number = await repository.next_number(connection, experiment.id)
        if number is None:
            return

        async def link(connection: AsyncConnection, session_id: UUID) -> None:
            if not await repository.link(connection, experiment.id, number, session_id):
                raise _TakenError

        wanted = planned_run(experiment.request, number).session()
        asker = Asker(experiment.requested_by, f"experiment-{experiment.id}-{number}")
        try:
            await sessions.start(self._engine, self._orchestrator, wanted, asker, self._limits, link)
        except _TakenError:
            return
        except ProblemError as error:
            problem = error.problem
            if problem.status not in _MAY_HEAL:
                async with self._engine.begin() as connection:
                    await repository.fail(connection, experiment.id, number, problem.in_one_line())

    async def _measure(
        self, experiment_id: UUID, number: int, session_id: UUID, outcome: str, reason: str | None
    ) -> None:
        failure: str | None = None
        measured: dict[str, object] | None = None
        if outcome != Outcome.COMPLETED:
            failure = f"the session {outcome}: {reason or 'no reason is known'}"
        else:
            try:
                _, kept = await self._reports.write(session_id, "json")
                (answer,) = await self._worker.call(b"measure", kept)
                measured = json.loads(answer)
                failure = None if measured is not None else "its report has no scores"
            except ProblemError as error:
                if error.problem.type.endswith(":busy"):
                    return
                failure = error.problem.in_one_line()
            except WorkFailedError as error:
                failure = f"it could not be measured: {error}"
        async with self._engine.begin() as connection:
            if measured is not None:
                await repository.keep_measured(connection, experiment_id, number, measured)
            else:
                await repository.fail(connection, experiment_id, number, failure or "")

    async def _sum_up(self, experiment_id: UUID) -> None:
        async with self._engine.connect() as connection:
            request, measured, lines = await repository.measured_lines(connection, experiment_id)
        results: dict[str, object] | None = None
        try:
            (answer,) = await self._worker.call(b"sum up", request.encode(), lines.encode())
            results = ExperimentResults.model_validate_json(answer).model_dump(mode="json")
        except (WorkFailedError, ProblemError) as error:
            logger.warning(
                "an experiment could not be summed up",
                extra={"experiment": str(experiment_id), "reason": str(error)},
            )
        async with self._engine.begin() as connection:
            await repository.store_results(connection, experiment_id, results, measured)
