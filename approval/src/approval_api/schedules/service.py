"""Fires schedules: each due time once, however many processes work and whatever is killed.

A time is claimed in the transaction that moves the schedule to its next one, and its experiment is linked in
the transaction that stores it. What was missed while nothing ran is caught up once.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.database.rounds import apart, work_in_rounds
from approval_api.experiments import repository as experiments_repository
from approval_api.experiments.service import Experiments
from approval_api.schedules import firings, repository
from approval_api.schedules.due import ScheduleError, check, next_after
from approval_api.schedules.firings import Due
from approval_api.web.problems import ProblemError, too_many, unknown
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.experiment_results import UNMEASURED, ArmResult
from dryrun_contract.problem import Fault
from dryrun_contract.schedule import (
    MAX_FIRINGS_SHOWN,
    Firing,
    FiringArm,
    Schedule,
    ScheduleRequest,
    ScheduleView,
)

MOST_OF_ONE = 20
"""Schedules of one person."""
MOST_LISTED = 500
MOST_FAILURES = 3
"""Failures in a row, after which a schedule pauses."""
RETRY = timedelta(seconds=30)
"""Between attempts to start one firing."""
_STARTS_AT_ONCE = 4
_CREDENTIAL_ENDED = (
    "the token that made or resumed it has ended; resume it in a browser or with another token"
)
_UNREADABLE = "another version stored it, which this one cannot read"


class _TakenError(Exception):
    """Another process has started this firing, or it is over."""


def unknown_schedule(schedule_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return unknown("schedule", schedule_id, "/api/v1/dryrun/schedules")


class Schedules:
    """All schedules; `run` fires them for the life of the process."""

    def __init__(self, engine: AsyncEngine, experiments: Experiments) -> None:
        self._engine = engine
        self._experiments = experiments

    async def create(self, wanted: ScheduleRequest, owner: str, token_id: UUID | None = None) -> ScheduleView:
        """Store a schedule; one that `token_id` makes ends with that token.

        Raises ProblemError: 422 for what cannot be one, 404, 429, 503.
        """
        now = datetime.now(UTC)
        try:
            check(wanted.cron, wanted.timezone, now)
            next_at = next_after(wanted.cron, wanted.timezone, now)
        except ScheduleError as error:
            where = "body.timezone" if "time zone" in str(error) else "body.cron"
            raise ProblemError(
                "invalid-request",
                422,
                str(error),
                title="This is not a schedule",
                faults=(Fault(where=where, what=str(error)),),
            ) from error
        assert next_at is not None
        await self._experiments.try_every_arm(wanted.experiment, owner)
        schedule_id = uuid4()
        async with self._engine.begin() as connection:
            if await repository.count_of(connection, owner) >= MOST_OF_ONE:
                raise too_many("schedules", f"you have {MOST_OF_ONE} schedules")
            await repository.insert_schedule(connection, schedule_id, wanted, owner, token_id, next_at)
        return await self._view(schedule_id)

    async def list_all(self) -> list[ScheduleView]:
        """Return schedules, those that are due next first."""
        async with self._engine.connect() as connection:
            return await repository.list_all(connection, MOST_LISTED)

    async def show(self, schedule_id: UUID) -> Schedule:
        """Return a schedule with its newest firings. Raises a 404 problem."""
        async with self._engine.connect() as connection:
            view = await repository.find(connection, schedule_id)
            if view is None:
                raise unknown_schedule(schedule_id)
            rows = await firings.newest(connection, schedule_id, MAX_FIRINGS_SHOWN)
            ids = [row["experiment_id"] for row in rows if row["experiment_id"] is not None]
            known = await experiments_repository.summaries(connection, ids)
        shown = []
        for row in rows:
            summary = known.get(row["experiment_id"])
            state = "skipped" if row["skipped"] else "failed" if row["failure"] else "started"
            if state == "started" and row["experiment_id"] is None:
                state = "starting"
            shown.append(
                Firing(
                    due_at=row["due_at"],
                    state=state,
                    reason=row["skipped"] or row["failure"],
                    experiment=None if summary is None else summary.view,
                    arms=() if summary is None else tuple(map(_firing_arm, summary.arms)),
                )
            )
        return Schedule(**dict(view), firings=tuple(shown))

    async def pause(self, schedule_id: UUID, actor: str) -> ScheduleView:
        """Start nothing more until it is resumed; what it started goes on. Raises a 404 problem."""
        async with self._engine.begin() as connection:
            if not await repository.pause(connection, schedule_id, f"paused by {actor}"):
                raise unknown_schedule(schedule_id)
        return await self._view(schedule_id)

    async def resume(self, schedule_id: UUID, token_id: UUID | None = None) -> ScheduleView:
        """Continue with its next time, until `token_id` ends if a token resumes it.

        A schedule that is not paused depends on no token from now on, unless a token resumes it. Raises
        ProblemError: 404, 409 for one whose times nobody can tell any more.
        """
        view = await self._view(schedule_id)
        try:
            next_at = next_after(view.request.cron, view.request.timezone, datetime.now(UTC))
        except ScheduleError as error:  # a time zone that this machine's database no longer has
            raise ProblemError(
                "not-a-schedule",
                409,
                f"{error}. Make another schedule in its place, and remove this one",
                title="This is no schedule any more",
            ) from error
        if next_at is not None:
            async with self._engine.begin() as connection:
                await repository.resume(connection, schedule_id, next_at, token_id)
        return await self._view(schedule_id)

    async def remove(self, schedule_id: UUID) -> None:
        """Delete it; its experiments stay. Raises a 404 problem."""
        async with self._engine.begin() as connection:
            if not await repository.remove(connection, schedule_id):
                raise unknown_schedule(schedule_id)

    async def _view(self, schedule_id: UUID) -> ScheduleView:
        async with self._engine.connect() as connection:
            view = await repository.find(connection, schedule_id)
        if view is None:
            raise unknown_schedule(schedule_id)
        return view

    async def run(self) -> None:
        """Work until cancelled; wait for a database that is unreachable."""
        await work_in_rounds(self.work_once, "schedules")

    async def work_once(self) -> None:
        """Stop what keeps failing, claim what is due, and start what was claimed."""
        # Mostly there is nothing: one connection finds that out, and costs a third of three.
        async with self._engine.begin() as connection:
            ended = await repository.with_ended_tokens(connection)
            failing = await firings.failing(connection, MOST_FAILURES)
            waiting = await firings.due(connection)
            claimed = (
                []
                if ended or failing or waiting
                else await firings.to_start(connection, RETRY, _STARTS_AT_ONCE)
            )
        for schedule_id, token_id in ended:
            await self._apart(schedule_id, self._stop(schedule_id, _CREDENTIAL_ENDED, ended_token=token_id))
        for schedule_id, resumed_at in failing:
            why = f"the last {MOST_FAILURES} times failed; see their reasons, then resume it"
            await self._apart(schedule_id, self._stop(schedule_id, why, resumed_at=resumed_at))
        for schedule_id, due_at, request in waiting:
            await self._apart(schedule_id, self._claim(schedule_id, due_at, request))
        if ended or failing or waiting:
            async with self._engine.begin() as connection:
                claimed = await firings.to_start(connection, RETRY, _STARTS_AT_ONCE)
        await asyncio.gather(*(self._apart(each.schedule_id, self._start(each)) for each in claimed))

    async def _apart(self, schedule_id: UUID, work: Coroutine[None, None, None]) -> None:
        """Do one thing for one schedule; what fails there is no other one's concern."""
        await apart(work, "a schedule", schedule=str(schedule_id))

    async def _claim(self, schedule_id: UUID, due_at: datetime, stored: object) -> None:
        try:
            request = ScheduleRequest.model_validate(stored)
            next_at = next_after(request.cron, request.timezone, max(due_at, datetime.now(UTC)))
        except ValidationError:
            await self._stop(schedule_id, _UNREADABLE)
            return
        except ScheduleError as error:  # a time zone that this machine's database no longer has
            await self._stop(schedule_id, str(error))
            return
        async with self._engine.begin() as connection:
            await firings.claim(connection, schedule_id, due_at, next_at)

    async def _stop(
        self,
        schedule_id: UUID,
        reason: str,
        *,
        ended_token: UUID | None = None,
        resumed_at: datetime | None = None,
    ) -> None:
        async with self._engine.begin() as connection:
            await repository.pause(
                connection,
                schedule_id,
                reason,
                by_itself=True,
                ended_token=ended_token,
                resumed_at=resumed_at,
            )

    async def _start(self, due: Due) -> None:
        # Each time: a role may be withdrawn while a schedule repeats for years.
        for name in filter(None, (due.owner, due.resumed_by)):
            if not await self._experiments.may_run(name):
                await self._stop(due.schedule_id, f"{name} may not start sessions any more")
                return

        async def link(connection: AsyncConnection, experiment_id: UUID) -> None:
            if not await firings.link(connection, due, experiment_id):
                raise _TakenError

        try:
            wanted = ScheduleRequest.model_validate(due.request).experiment
            await self._experiments.request(_named(wanted, due.due_at), due.owner, link)
        except _TakenError:
            return
        except ValidationError:
            await self._stop(due.schedule_id, _UNREADABLE)
        except ProblemError as error:
            if not error.may_heal:
                async with self._engine.begin() as connection:
                    await firings.fail(connection, due, error.problem.in_one_line())


def _named(wanted: ExperimentRequest, due_at: datetime) -> ExperimentRequest:
    stamp = f"{due_at:%Y-%m-%d %H:%M}"
    return wanted.model_copy(update={"name": f"{wanted.name[: 79 - len(stamp)]} {stamp}"})


def _firing_arm(arm: ArmResult) -> FiringArm:
    row = next((row for row in arm.rows if (row.kind, row.attribute) == ("service", None)), None)
    recall, precision = (row.recall, row.precision) if row else (UNMEASURED, UNMEASURED)
    return FiringArm(
        arm=arm.arm,
        services=recall,
        measured={
            "recall": recall,
            "precision": precision,
            "harmed": arm.harmed,
            "seconds": arm.seconds,
            "packets": arm.packets,
        },
        incomplete=arm.incomplete,
        images=arm.images,
        judged=arm.judged,
        passed=arm.passed,
    )
