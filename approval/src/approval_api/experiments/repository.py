"""Rows of experiments and their runs. Every function works inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, func, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.readable import read_one, readable
from approval_api.database.storable import storable_text
from approval_api.database.tables import dryrun_sessions, experiments
from approval_api.database.tables import experiment_runs as runs
from approval_api.experiments.arms import arms_of
from approval_api.experiments.plan import planned_run
from approval_api.sessions.stored import JudgedBy
from dryrun_contract.experiment import Experiment, ExperimentRequest, ExperimentRun, ExperimentView, RunState
from dryrun_contract.experiment_results import ArmResult, ExperimentResults

_LISTED = [column for column in experiments.c if column.name not in {"results", "criteria"}]
OPEN = runs.c.measured.is_(None) & runs.c.failure.is_(None)
"""Runs that are neither measured nor failed."""
_WAITING = ("requested", "queued")

# Seconds of a session, from its place to its end; the mean predicts how long the rest will take.
_COUNTS = text("""
SELECT r.experiment_id,
    count(*) AS runs,
    count(*) FILTER (WHERE r.measured IS NOT NULL) AS measured,
    count(*) FILTER (WHERE r.failure IS NOT NULL) AS failed,
    count(*) FILTER (WHERE s.phase NOT IN ('requested', 'queued', 'ended')) AS running,
    avg(extract(epoch FROM s.ended_at - s.accepted_at)) FILTER (WHERE s.phase = 'ended') AS seconds
FROM gateway.experiment_runs r LEFT JOIN gateway.dryrun_sessions s ON s.id = r.session_id
WHERE r.experiment_id = ANY(:ids) GROUP BY r.experiment_id
""")


# By arm, in the order of the arms; null where an arm has no such row.
_SERVICES = text("""
SELECT e.id, (
    SELECT array_agg((
        SELECT (row #>> '{recall,value}')::float FROM jsonb_array_elements(arm -> 'rows') AS row
        WHERE row ->> 'kind' = 'service' AND row ->> 'attribute' IS NULL LIMIT 1
    ) ORDER BY place)
    FROM jsonb_array_elements(e.results -> 'arms') WITH ORDINALITY AS arms (arm, place)
) AS recalls
FROM gateway.experiments e WHERE e.id = ANY(:ids) AND e.results IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class OpenExperiment:
    """An experiment that has runs to make."""

    id: UUID
    stored: object
    """Its request as it is stored, perhaps by another version."""
    requested_by: str
    judged_by: JudgedBy | None = None


@dataclass(frozen=True, slots=True)
class ExperimentSummary:
    """An experiment, and what each way to scan achieved: of its rows that of services alone."""

    view: ExperimentView
    arms: tuple[ArmResult, ...]


async def insert_requested(
    connection: AsyncConnection,
    experiment_id: UUID,
    request: ExperimentRequest,
    actor: str,
    judged_by: JudgedBy | None,
) -> None:
    """Store a new experiment with all its runs, and the criteria as they are now."""
    await connection.execute(
        insert(experiments).values(
            id=experiment_id,
            request=request.model_dump(mode="json"),
            requested_by=actor,
            requested_at=func.now(),
            results_of=0,
            criteria_name=judged_by.name if judged_by else None,
            criteria=dict(judged_by.criteria) if judged_by else None,
        )
    )
    numbers = [{"experiment_id": experiment_id, "number": number} for number in range(request.sessions)]
    await connection.execute(insert(runs), numbers)


async def find(connection: AsyncConnection, experiment_id: UUID) -> Experiment | None:
    """Return an experiment with its runs and results, or None."""
    found = await connection.execute(select(experiments).where(experiments.c.id == experiment_id))
    row = found.mappings().one_or_none()
    if row is None:
        return None
    counts = await _counts(connection, [experiment_id])
    view = read_one(row, lambda row: _view(row, counts), "this experiment")
    columns = (runs, dryrun_sessions.c.phase)
    joined = runs.outerjoin(dryrun_sessions, dryrun_sessions.c.id == runs.c.session_id)
    listed = await connection.execute(
        select(*columns)
        .select_from(joined)
        .where(runs.c.experiment_id == experiment_id)
        .order_by(runs.c.number)
    )
    return Experiment(
        **dict(view),
        results=None if row["results"] is None else read_one(row, _results, "this experiment's results"),
        run_list=tuple(_run(view.request, each) for each in listed.mappings()),
    )


def _results(row: RowMapping) -> ExperimentResults:
    return ExperimentResults.model_validate(row["results"])


async def page(
    connection: AsyncConnection, limit: int, before: tuple[datetime, UUID] | None
) -> tuple[list[ExperimentView], tuple[datetime, UUID] | None]:
    """Return experiments requested before the given one, newest first, and the last one if there are more.

    They are of `limit` rows: without what another version stored, behind which the list goes on.
    """
    newest_first = experiments.c.requested_at.desc(), experiments.c.id.desc()
    query = select(*_LISTED).order_by(*newest_first).limit(limit + 1)
    if before is not None:
        query = query.where(tuple_(experiments.c.requested_at, experiments.c.id) < before)
    rows = list((await connection.execute(query)).mappings())
    more = len(rows) > limit
    rows = rows[:limit]
    ids = [row["id"] for row in rows]
    counts = await _counts(connection, ids)
    recalls = {
        row.id: tuple(row.recalls) for row in await connection.execute(_SERVICES, {"ids": ids}) if row.recalls
    }
    views = readable(rows, lambda row: _view(row, counts), "an experiment")
    shown = [view.model_copy(update={"services": recalls.get(view.id, ())}) for view in views]
    return shown, (rows[-1]["requested_at"], rows[-1]["id"]) if more else None


async def summaries(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, ExperimentSummary]:
    """Return experiments by id, each with what its arms achieved."""
    if not ids:
        return {}
    query = select(*_LISTED).where(experiments.c.id.in_(ids))
    rows = list((await connection.execute(query)).mappings())
    counts = await _counts(connection, [row["id"] for row in rows])
    arms = await arms_of(connection, ids)
    views = readable(rows, lambda row: _view(row, counts), "an experiment")
    return {view.id: ExperimentSummary(view, arms.get(view.id, ())) for view in views}


async def set_stopped(connection: AsyncConnection, experiment_id: UUID, *, stopped: bool) -> bool:
    """Stop starting sessions of an experiment, or go on; False when there is none."""
    moment = func.coalesce(experiments.c.stopped_at, func.now()) if stopped else None
    changed = await connection.execute(
        update(experiments).where(experiments.c.id == experiment_id).values(stopped_at=moment)
    )
    return changed.rowcount == 1


async def open_experiments(connection: AsyncConnection, limit: int = 20) -> list[OpenExperiment]:
    """Return experiments with runs to start whose person has none that waits for a place, oldest first.

    Each person's oldest comes before anybody's second: a few people whose sessions are refused for hours, as
    after too many in a day, leave room for the others.
    """
    of_person = func.row_number().over(
        partition_by=experiments.c.requested_by, order_by=(experiments.c.requested_at, experiments.c.id)
    )
    startable = select(literal(1)).where(
        runs.c.experiment_id == experiments.c.id, OPEN, runs.c.session_id.is_(None)
    )
    found = await connection.execute(
        select(
            experiments.c.id,
            experiments.c.request,
            experiments.c.requested_by,
            experiments.c.criteria_name,
            experiments.c.criteria,
        )
        .where(
            experiments.c.stopped_at.is_(None), startable.exists(), ~_one_waits(experiments.c.requested_by)
        )
        .order_by(of_person, experiments.c.requested_at, experiments.c.id)
        .limit(limit)
    )
    return [
        OpenExperiment(
            row["id"],
            row["request"],
            row["requested_by"],
            None if row["criteria"] is None else JudgedBy(row["criteria_name"], row["criteria"]),
        )
        for row in found.mappings()
    ]


def _one_waits(person: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a session of any experiment of `person` waits for a place."""
    others = experiments.alias("others")
    others_runs = runs.alias("others_runs")
    joined = others.join(others_runs, others_runs.c.experiment_id == others.c.id).join(
        dryrun_sessions, dryrun_sessions.c.id == others_runs.c.session_id
    )
    return (
        select(literal(1))
        .select_from(joined)
        .where(others.c.requested_by == person, dryrun_sessions.c.phase.in_(_WAITING))
        .exists()
    )


async def unfinished_of(connection: AsyncConnection, person: str, *, but: UUID | None = None) -> int:
    """Return how many experiments of a person have runs to make, without `but`."""
    to_make = select(literal(1)).where(runs.c.experiment_id == experiments.c.id, OPEN)
    own = (experiments.c.requested_by == person) & experiments.c.id.is_distinct_from(but)
    counted = await connection.execute(
        select(func.count())
        .select_from(experiments)
        .where(own, experiments.c.stopped_at.is_(None), to_make.exists())
    )
    return counted.scalar_one()


async def requested_lately(connection: AsyncConnection, person: str, within: timedelta) -> int:
    """Return how many experiments a person requested within a time, whatever became of them."""
    lately = experiments.c.requested_at > func.now() - within
    own = select(func.count()).select_from(experiments).where(lately, experiments.c.requested_by == person)
    return await connection.scalar(own) or 0


async def next_number(connection: AsyncConnection, experiment_id: UUID) -> int | None:
    """Return the number of the next run to start."""
    number: int | None = await connection.scalar(
        select(func.min(runs.c.number)).where(
            runs.c.experiment_id == experiment_id, OPEN, runs.c.session_id.is_(None)
        )
    )
    return number


async def link(connection: AsyncConnection, experiment_id: UUID, number: int, session_id: UUID) -> bool:
    """Make a session the run's own; False when it has one, or it may not start now.

    It may not while another session of the person's experiments waits, and once the experiment was stopped:
    whoever stops it now waits until the session is stored. Called under the lock of admission, so that
    processes together keep to that.
    """
    runs_now = select(experiments.c.id).where(
        experiments.c.id == experiment_id, experiments.c.stopped_at.is_(None)
    )
    if await connection.scalar(runs_now.with_for_update(read=True)) is None:
        return False
    may_start = select(literal(1)).where(
        experiments.c.id == experiment_id, ~_one_waits(experiments.c.requested_by)
    )
    linked = await connection.execute(
        update(runs)
        .where(
            runs.c.experiment_id == experiment_id,
            runs.c.number == number,
            OPEN,
            runs.c.session_id.is_(None),
            may_start.exists(),
        )
        .values(session_id=session_id)
    )
    return linked.rowcount == 1


async def fail(
    connection: AsyncConnection, experiment_id: UUID, number: int, session_id: UUID | None, reason: str
) -> None:
    """Give up on a run that has this session, None for one without; not if it has another one meanwhile."""
    await connection.execute(
        update(runs)
        .where(
            runs.c.experiment_id == experiment_id,
            runs.c.number == number,
            runs.c.session_id.is_not_distinct_from(session_id),
            OPEN,
        )
        .values(failure=storable_text(reason[:2000]))
    )


async def _counts(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, RowMapping]:
    found = await connection.execute(_COUNTS, {"ids": list(ids)})
    return {row["experiment_id"]: row for row in found.mappings()}


def _view(row: RowMapping, counts: Mapping[UUID, RowMapping]) -> ExperimentView:
    counted = counts[row["id"]]
    left = counted["runs"] - counted["measured"] - counted["failed"]
    seconds = counted["seconds"]
    return ExperimentView(
        id=row["id"],
        request=ExperimentRequest.model_validate(row["request"]),
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        state="done" if not left else "running" if row["stopped_at"] is None else "stopped",
        runs=counted["runs"],
        measured=counted["measured"],
        failed=counted["failed"],
        seconds_left=float(seconds) * left / max(1, counted["running"]) if seconds and left else None,
    )


def _run(request: ExperimentRequest, row: RowMapping) -> ExperimentRun:
    plan = planned_run(request, row["number"])
    return ExperimentRun(
        number=row["number"],
        arm=plan.arm.name,
        template=plan.template,
        seed=plan.seed,
        repetition=plan.repetition,
        state=_state(row),
        session_id=row["session_id"],
        reason=row["failure"],
    )


def _state(row: RowMapping) -> RunState:
    if row["failure"] is not None:
        return "failed"
    if row["measured"] is not None:
        return "measured"
    if row["session_id"] is None:
        return "planned"
    return "waiting" if row["phase"] in _WAITING else "running"
