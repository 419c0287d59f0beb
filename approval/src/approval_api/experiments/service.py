"""Runs experiments: starts their sessions one after another through the queue, measures them, sums up.

The next is requested once none of that person's experiments has a session waiting; several may run at once.

All state is in PostgreSQL. A run gets its session in the transaction that stores the session, so that
whatever is killed, and however many processes work, no run has two.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from uuid import UUID, uuid4

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.criteria.service import choose
from approval_api.database.locks import hold
from approval_api.database.rounds import apart, work_in_rounds
from approval_api.experiments import measured_runs, repository
from approval_api.experiments.fact_history import history
from approval_api.experiments.looks import looks_at
from approval_api.experiments.measure import Measured, Name
from approval_api.experiments.plan import planned_run
from approval_api.experiments.repository import OpenExperiment
from approval_api.orchestrator.client import Asker
from approval_api.reports.service import Reports
from approval_api.reports.worker_process import WorkerProcess, WorkFailedError
from approval_api.sessions import service as sessions
from approval_api.sessions.admission import Limits
from approval_api.sessions.service import Orchestrator
from approval_api.web.bulkhead import Bulkhead, busy
from approval_api.web.problems import ProblemError, unknown
from dryrun_contract.experiment import Experiment, ExperimentRequest, ExperimentResults
from dryrun_contract.fact_history import FactHistory
from dryrun_contract.session import Outcome

logger = logging.getLogger(__name__)
type _WithoutScores = list[tuple[UUID, str]]
"""Sessions, and why they have none."""
_COMPARED: TypeAdapter[ExperimentResults | _WithoutScores] = TypeAdapter(ExperimentResults | _WithoutScores)
_MEASURED: TypeAdapter[Measured | None] = TypeAdapter(Measured | None)

_WORK_SECONDS = 60.0
_ANSWER_BYTES = 8 * 1024 * 1024
_TRY_SECONDS = 30.0
_SUM_UP_AGAIN_SECONDS = 60.0
_REST_AFTER_FAILURE = 10
"""Rest this many times as long as a failed attempt took: what cannot be summed up takes a tenth of the
time."""
MOST_UNFINISHED = 10
"""Experiments of one person with sessions to come."""
MOST_LOOKS = 300
"""Runs that a fact's history looks at."""
NO_SCORES = "no-scores"
type Link = Callable[[AsyncConnection, UUID], Awaitable[None]]


def _why_not_comparable(without: _WithoutScores, running: set[UUID]) -> str:
    """Return which sessions have no scores, why, and what to do."""
    reasons = dict(without)
    faults = [
        f"Session {str(each)[:8]} has not ended yet, and has no scores"
        if each in running
        else f"Session {str(each)[:8]} has no scores: {reason}"
        for each, reason in reasons.items()
    ]
    another, it = ("another", "it") if len(reasons) == 1 else ("others", "them")
    later = f", or compare {it} later" if reasons.keys() & running else ""
    return ". ".join([*faults, f"Choose {another}{later}"])


class _TakenError(Exception):
    """Another process has started this run, or the experiment was stopped."""


def unknown_experiment(experiment_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return unknown("experiment", experiment_id, "/api/v1/dryrun/experiments")


class Experiments:
    """All experiments; `run` works on them for the life of the process."""

    def __init__(
        self,
        engine: AsyncEngine,
        orchestrator: Orchestrator,
        reports: Reports,
        limits: Limits,
        may_run: Callable[[str], Awaitable[bool]],
    ) -> None:
        """Start sessions within `limits`, for people of whom `may_run` says so; measure by `reports`."""
        self._engine = engine
        self._orchestrator = orchestrator
        self._reports = reports
        self._limits = limits
        self.may_run = may_run
        self._trying = Bulkhead("what an experiment would scan", waiting=4)
        self._failed_at: dict[UUID, float] = {}
        """When an experiment could not be summed up last."""
        self._try_again_at = -math.inf
        """Before this, none of those is tried again: starting and measuring wait meanwhile."""
        self._worker = WorkerProcess(
            "approval_api.experiments.worker",
            "summing up an experiment",
            seconds=_WORK_SECONDS,
            waiting=4,
            answer_bytes=_ANSWER_BYTES,
        )

    async def request(self, wanted: ExperimentRequest, actor: str, link: Link | None = None) -> Experiment:
        """Store an experiment; its sessions start by themselves.

        Every arm is tried on every template first. `link` works in the transaction that stores it. Raises
        ProblemError: 422 or 404 with what cannot be chosen, 503 when the orchestrator does not answer.
        """
        async with self._engine.connect() as connection:
            await _require_room(connection, actor)
        await self.try_every_arm(wanted)
        experiment_id = uuid4()
        async with self._engine.begin() as connection:
            # Others may have been stored since.
            await hold(connection, f"experiments of {actor}")
            await _require_room(connection, actor)
            judged_by = await choose(connection, wanted.criteria)
            await repository.insert_requested(connection, experiment_id, wanted, actor, judged_by)
            if link is not None:
                await link(connection, experiment_id)
        return await self.show(experiment_id)

    async def try_every_arm(self, wanted: ExperimentRequest) -> None:
        """Check that every arm can scan every template, and that the criteria exist.

        Raises as `request` does.
        """
        async with self._engine.connect() as connection:
            await choose(connection, wanted.criteria)
        async with self._trying.entered():
            try:
                async with asyncio.timeout(_TRY_SECONDS):
                    await self._try_each(wanted)
            except TimeoutError:
                raise busy("what an experiment would scan") from None

    async def _try_each(self, wanted: ExperimentRequest) -> None:
        for template in wanted.templates:
            for arm in wanted.arms():
                await self._orchestrator.template(template, wanted.seeds[0], arm.scan)

    async def show(self, experiment_id: UUID) -> Experiment:
        """Return an experiment. Raises a 404 problem."""
        async with self._engine.connect() as connection:
            found = await repository.find(connection, experiment_id)
        if found is None:
            raise unknown_experiment(experiment_id)
        return found

    async def compare(self, baseline: UUID, session: UUID) -> ExperimentResults:
        """Return two sessions as an experiment of two arms, named by their ids.

        Raises a problem: 404, 409 when one has no scores, 503 when there is too much to do.
        """
        written = [await self._reports.write(each, "json") for each in (baseline, session)]
        try:
            (answer,) = await self._worker.call(b"compare", *(report for _, report in written))
        except WorkFailedError as error:
            raise ProblemError(
                "not-comparable", 503, f"the sessions could not be compared: {error}", title="Not comparable"
            ) from error
        compared = _COMPARED.validate_json(answer)
        if isinstance(compared, list):
            running = {view.id for view, _ in written if view.phase != "ended"}
            raise ProblemError(NO_SCORES, 409, _why_not_comparable(compared, running), title="No scores")
        return compared

    async def observations(self, experiment_id: UUID, arm: str | None) -> list[bytes]:
        """Return what a forecast needs of each measured run of an arm, the baseline by default.

        Raises ProblemError: 404 for an unknown experiment or arm, 422 without any.
        """
        async with self._engine.connect() as connection:
            found = await repository.find(connection, experiment_id)
            seen = await measured_runs.observations(connection, experiment_id)
        if found is None:
            raise unknown_experiment(experiment_id)
        names = [each.name for each in found.request.arms()]
        wanted = names[0] if arm is None else arm
        if wanted not in names:
            raise ProblemError(
                "unknown-arm", 404, f"the experiment has the arms {', '.join(names)}", title="Unknown arm"
            )
        arms = {number: planned_run(found.request, number).arm.name for number, _ in seen}
        own = [text.encode() for number, text in seen if arms[number] == wanted]
        if not own:
            raise ProblemError(
                "no-forecast",
                422,
                f"no measured session of the arm {wanted} stands for a real network",
                title="There is no forecast",
            )
        return own

    async def fact_history(self, template: str, name: Name) -> FactHistory:
        """Return which versions of the collectors found a fact, over the newest runs on its template."""
        async with self._engine.connect() as connection:
            looks = await looks_at(connection, template, name, MOST_LOOKS + 1)
        return history(template, name, looks[:MOST_LOOKS], more=len(looks) > MOST_LOOKS)

    async def stop(self, experiment_id: UUID) -> Experiment:
        """Start no more of its sessions; those under way end by themselves. Raises a 404 problem."""
        async with self._engine.begin() as connection:
            known = await repository.set_stopped(connection, experiment_id, stopped=True)
        if not known:
            raise unknown_experiment(experiment_id)
        return await self.show(experiment_id)

    async def go_on(self, experiment_id: UUID) -> Experiment:
        """Continue a stopped experiment.

        Raises a problem: 404, 409 when who requested it may not start sessions any more, 429 when they have
        as many other unfinished experiments as may be.
        """
        owner = (await self.show(experiment_id)).requested_by
        if not await self.may_run(owner):
            raise ProblemError(
                "not-permitted-any-more",
                409,
                f"{owner} requested this experiment and may not start sessions any more; request a new one",
                title="Not permitted any more",
            )
        async with self._engine.begin() as connection:
            await hold(connection, f"experiments of {owner}")
            await _require_room(connection, owner, but=experiment_id)
            await repository.set_stopped(connection, experiment_id, stopped=False)
        return await self.show(experiment_id)

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
        for experiment_id, number, session_id, outcome, reason in ended:
            await self._apart(
                experiment_id, self._measure(experiment_id, number, session_id, outcome, reason)
            )
        if ended:
            async with self._engine.connect() as connection:
                stale = await measured_runs.not_summed_up(connection)
        for experiment_id in stale:
            await self._apart(experiment_id, self._sum_up(experiment_id))

    async def _apart(self, experiment_id: UUID, work: Coroutine[None, None, None]) -> None:
        """Do one thing for one experiment; what fails there is no other one's concern."""
        await apart(work, "an experiment", experiment=str(experiment_id))

    async def close(self) -> None:
        """End the worker process."""
        await self._worker.close()

    async def _start_next(self, experiment: OpenExperiment) -> None:
        # Each time: a role may be withdrawn while an experiment runs for hours.
        if not await self.may_run(experiment.requested_by):
            logger.warning(
                "an experiment is stopped: who requested it may not start sessions any more",
                extra={"experiment": str(experiment.id), "person": experiment.requested_by},
            )
            await self.stop(experiment.id)
            return
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

    async def _measure(
        self, experiment_id: UUID, number: int, session_id: UUID, outcome: str, reason: str | None
    ) -> None:
        failure: str | None = None
        measured: dict[str, object] | None = None
        if outcome != Outcome.COMPLETED:
            failure = f"the session {outcome}: {reason or 'no reason is known'}"
        else:
            try:
                _, kept = await self._reports.write(session_id, "json", "own")
                (answer,) = await self._worker.call(b"measure", kept)
                read = _MEASURED.validate_json(answer)
                measured = None if read is None else read.model_dump(mode="json")
                failure = None if measured is not None else "its report has no scores"
            except ProblemError as error:
                if error.problem.type.endswith(":busy"):
                    return
                failure = error.problem.in_one_line()
            except (WorkFailedError, ValidationError) as error:
                failure = f"it could not be measured: {error}"
        async with self._engine.begin() as connection:
            if measured is not None:
                await measured_runs.keep_measured(connection, experiment_id, number, measured)
            else:
                await repository.fail(connection, experiment_id, number, session_id, failure or "")

    async def _sum_up(self, experiment_id: UUID) -> None:
        """Keep results of all runs so far; what could not be summed up is tried again, older results stay."""
        began, failed_at = time.monotonic(), self._failed_at.get(experiment_id)
        if failed_at is not None and began < max(failed_at + _SUM_UP_AGAIN_SECONDS, self._try_again_at):
            return
        async with self._engine.connect() as connection:
            request, measured, lines = await measured_runs.measured_lines(connection, experiment_id)
        try:
            (answer,) = await self._worker.call(b"sum up", request.encode(), lines.encode())
            results = ExperimentResults.model_validate_json(answer).model_dump(mode="json")
            async with self._engine.begin() as connection:
                await measured_runs.store_results(connection, experiment_id, results, measured)
        except Exception:
            self._failed_at[experiment_id] = ended = time.monotonic()
            self._try_again_at = ended + _REST_AFTER_FAILURE * (ended - began)
            raise
        self._failed_at.pop(experiment_id, None)


async def _require_room(connection: AsyncConnection, person: str, *, but: UUID | None = None) -> None:
    """Raise a 429 problem when the person has as many unfinished experiments as may be, without `but`."""
    unfinished = await repository.unfinished_of(connection, person, but=but)
    if unfinished >= MOST_UNFINISHED:
        raise ProblemError(
            "too-many-experiments",
            429,
            f"{unfinished} experiments of {person} are unfinished, and at most {MOST_UNFINISHED} may be; "
            "wait for one, or stop one",
            title="Too many experiments",
            headers={"Retry-After": "60"},
        )
