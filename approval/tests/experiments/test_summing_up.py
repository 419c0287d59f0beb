"""Experiments that cannot be summed up hold up no others."""

import asyncio
from uuid import uuid4

from sqlalchemy import text

from approval_api.computing.worker_process import WorkerProcess, WorkFailedError
from approval_api.experiments import conductor, measured_runs
from approval_api.experiments.calculations import Calculations
from approval_api.experiments.conductor import Conductor


async def measured_ones(engine, count):
    """Store experiments of one measured run each, which nobody can sum up; return their ids."""
    ids = [uuid4() for _ in range(count)]
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.experiments (id, request, requested_by, requested_at)"
                " SELECT id, '{}', 'ada', now() FROM unnest(CAST(:ids AS uuid[])) AS id"
            ),
            {"ids": ids},
        )
        await connection.execute(
            text(
                "INSERT INTO gateway.experiment_runs (experiment_id, number, measured)"
                " SELECT id, 0, '{}' FROM unnest(CAST(:ids AS uuid[])) AS id"
            ),
            {"ids": ids},
        )
    return ids


async def test_those_that_cannot_be_summed_up_hold_up_no_other(engine):
    ids = await measured_ones(engine, 60)
    async with engine.connect() as connection:
        # In a hundred rounds of twenty, one of sixty is left out once in 10^17 times.
        rounds = [await measured_runs.not_summed_up(connection) for _ in range(100)]
    assert {len(each) for each in rounds} == {20}
    assert set().union(*rounds) == set(ids)


async def test_those_that_cannot_be_summed_up_take_little_of_the_time(engine, monkeypatch):
    tried = []

    async def call(_self, *task):
        tried.append(task)
        await asyncio.sleep(0.3)
        raise WorkFailedError("summing up an experiment took more than 60 s")

    monkeypatch.setattr(WorkerProcess, "call", call)
    monkeypatch.setattr(conductor, "_SUM_UP_AGAIN_SECONDS", 0.0)
    working = Conductor(engine, None, None, None, None, Calculations())
    await measured_ones(engine, 4)
    await working.work_once()
    assert len(tried) == 4
    # For ten times as long as one took, the rounds are for others.
    await working.work_once()
    assert len(tried) == 4
    working._try_again_at = 0.0
    await working.work_once()
    assert len(tried) == 5
