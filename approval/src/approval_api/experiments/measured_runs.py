"""What was measured of an experiment's runs, and the results that sum them up: stored and read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import dryrun_sessions, experiments
from approval_api.database.tables import experiment_runs as runs
from approval_api.experiments.repository import OPEN
from dryrun_contract.session import Phase

TRIED_FOR = timedelta(minutes=30)
"""After its session's end a run waits this long for a report that failed, which is computed again every ten
minutes: the machine may have been too busy."""


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run whose session has ended, and that is neither measured nor failed."""

    experiment_id: UUID
    number: int
    session_id: UUID
    outcome: str
    reason: str | None
    ended_lately: bool
    """Within TRIED_FOR."""


async def to_measure(connection: AsyncConnection, limit: int = 10) -> list[EndedRun]:
    """Return some runs to measure, at random: those that wait for a report hold up no other."""
    joined = runs.join(dryrun_sessions, dryrun_sessions.c.id == runs.c.session_id)
    found = await connection.execute(
        select(
            runs.c.experiment_id,
            runs.c.number,
            runs.c.session_id,
            dryrun_sessions.c.outcome,
            dryrun_sessions.c.reason,
            (dryrun_sessions.c.ended_at > func.now() - TRIED_FOR).label("ended_lately"),
        )
        .select_from(joined)
        .where(OPEN, dryrun_sessions.c.phase == Phase.ENDED)
        .order_by(func.random())
        .limit(limit)
    )
    return [EndedRun(*row) for row in found]


async def keep_measured(
    connection: AsyncConnection, experiment_id: UUID, number: int, measured: Mapping[str, object]
) -> None:
    """Keep what was measured of a run, once."""
    await connection.execute(
        update(runs)
        .where(runs.c.experiment_id == experiment_id, runs.c.number == number, OPEN)
        .values(measured=measured)
    )


async def not_summed_up(connection: AsyncConnection) -> list[UUID]:
    """Return some experiments with measured runs that their results do not have yet.

    At random: those that cannot be summed up hold up no other.
    """
    measured = (
        select(func.count())
        .where(runs.c.experiment_id == experiments.c.id, runs.c.measured.is_not(None))
        .scalar_subquery()
    )
    stale = select(experiments.c.id).where(measured != experiments.c.results_of)
    found = await connection.execute(stale.order_by(func.random()).limit(20))
    return list(found.scalars())


async def measured_lines(connection: AsyncConnection, experiment_id: UUID) -> tuple[str, int, str]:
    """Return the request as JSON, the number of measured runs, and each of them as a line."""
    row = (
        await connection.execute(
            text("""
            SELECT e.request::text AS request, count(r.number) AS measured,
                coalesce(string_agg(r.number || ' ' || r.measured::text, E'\\n' ORDER BY r.number), '')
                    AS lines
            FROM gateway.experiments e
            LEFT JOIN gateway.experiment_runs r ON r.experiment_id = e.id AND r.measured IS NOT NULL
            WHERE e.id = :id GROUP BY e.id
            """),
            {"id": experiment_id},
        )
    ).one()
    return row.request, row.measured, row.lines


async def observations(connection: AsyncConnection, experiment_id: UUID) -> list[tuple[int, str]]:
    """Return what a forecast needs of each measured run, as JSON, by the run's number."""
    rows = await connection.execute(
        text("""
        SELECT number, (measured -> 'observation')::text AS seen FROM gateway.experiment_runs
        WHERE experiment_id = :id AND jsonb_typeof(measured -> 'observation') = 'object' ORDER BY number
        """),
        {"id": experiment_id},
    )
    return [(row.number, row.seen) for row in rows]


async def store_results(
    connection: AsyncConnection, experiment_id: UUID, results: Mapping[str, object], measured: int
) -> None:
    """Keep results, unless newer ones are there."""
    await connection.execute(
        update(experiments)
        .where(experiments.c.id == experiment_id, experiments.c.results_of < measured)
        .values(results=results, results_of=measured)
    )
