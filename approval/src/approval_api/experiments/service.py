"""What people do with experiments: request, show, stop and continue them, and read what was measured."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.criteria.service import choose
from approval_api.database.locks import hold
from approval_api.experiments import measured_runs, repository
from approval_api.experiments.fact_history import history
from approval_api.experiments.looks import looks_at
from approval_api.experiments.measure import Name
from approval_api.experiments.plan import planned_run
from approval_api.sessions.service import Orchestrator
from approval_api.web.bulkhead import busy
from approval_api.web.problems import ProblemError, unknown
from dryrun_contract.experiment import Experiment, ExperimentRequest
from dryrun_contract.fact_history import FactHistory
from dryrun_serving.ceiling import Ceiling

_TRY_SECONDS = 30.0
_TURN_SECONDS = 10.0
"""How long a request waits for its turn at most."""
MOST_UNFINISHED = 10
"""Experiments of one person with sessions to come."""
MOST_A_DAY = 1_000
"""Experiments that one person requests within a day: those that are stopped are kept, too."""
MOST_LOOKS = 300
"""Runs that a fact's history looks at."""
type Link = Callable[[AsyncConnection, UUID], Awaitable[None]]


def unknown_experiment(experiment_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return unknown("experiment", experiment_id, "/api/v1/dryrun/experiments")


class Experiments:
    """All experiments, as people request, stop and continue them; `Conductor` carries them out."""

    def __init__(
        self,
        engine: AsyncEngine,
        orchestrator: Orchestrator,
        may_run: Callable[[str], Awaitable[bool]],
    ) -> None:
        """Let people continue an experiment only while `may_run` says that they may run sessions."""
        self._engine = engine
        self._orchestrator = orchestrator
        self.may_run = may_run
        self._trying = Ceiling(1, 1)

    async def request(self, wanted: ExperimentRequest, actor: str, link: Link | None = None) -> Experiment:
        """Store an experiment; its sessions start by themselves.

        Every arm is tried on every template first. `link` works in the transaction that stores it. Raises
        ProblemError: 422 or 404 with what cannot be chosen, 503 when the orchestrator does not answer.
        """
        async with self._engine.connect() as connection:
            await _require_room(connection, actor)
        await self.try_every_arm(wanted, actor)
        experiment_id = uuid4()
        async with self._engine.begin() as connection:
            # Others may have been stored since.
            await hold(connection, f"experiments of {actor}")
            await _require_room(connection, actor)
            await _require_a_days_room(connection, actor)
            judged_by = await choose(connection, wanted.criteria)
            await repository.insert_requested(connection, experiment_id, wanted, actor, judged_by)
            if link is not None:
                await link(connection, experiment_id)
        return await self.show(experiment_id)

    async def try_every_arm(self, wanted: ExperimentRequest, actor: str) -> None:
        """Check that every arm can scan every template, and that the criteria exist; people take turns.

        Raises as `request` does.
        """
        async with self._engine.connect() as connection:
            await choose(connection, wanted.criteria)
        try:
            async with self._trying.place_within(_TURN_SECONDS, actor), asyncio.timeout(_TRY_SECONDS):
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


async def _require_a_days_room(connection: AsyncConnection, person: str) -> None:
    """Raise a 429 problem when the person requested as many experiments within a day as one may."""
    if await repository.requested_lately(connection, person, timedelta(days=1)) >= MOST_A_DAY:
        raise ProblemError(
            "too-many-experiments",
            429,
            f"{person} requested {MOST_A_DAY} experiments within a day, the most there may be; try later",
            title="Too many experiments",
            headers={"Retry-After": "3600"},
        )
