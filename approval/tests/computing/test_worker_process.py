"""A worker process answers one task after another, and costs nobody but its task when it fails."""

import asyncio
from pathlib import Path

import pytest

from approval_api.computing.worker_process import WorkerProcess, WorkFailedError
from approval_api.web.problems import ProblemError


@pytest.fixture(autouse=True)
def workers_start_by_fork():
    """They start as a service starts them: that is tested here."""


@pytest.fixture
async def worker():
    made = []

    def make(**limits):
        values = {"seconds": 30.0, "waiting": 2, "answer_bytes": 10_000, **limits}
        made.append(WorkerProcess("approval_api.reports.worker", "scoring", **values))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_a_task_that_fails_says_so_and_the_next_one_is_done(worker):
    process = worker()
    with pytest.raises(WorkFailedError, match="an error of the type"):
        await process.call(b"write", b"{}", b"not compressed")
    with pytest.raises(WorkFailedError, match="an error of the type"):
        await process.call(b"write", b"{}", b"not compressed")


async def test_a_task_that_is_late_is_ended_with_its_process(worker):
    process = worker(seconds=0.001)
    with pytest.raises(WorkFailedError, match="took more than"):
        await process.call(b"write", b"{}", b"")
    assert process._process is None


async def test_a_process_that_is_killed_costs_its_task_only(worker):
    process = worker()
    with pytest.raises(WorkFailedError):
        await process.call(b"write", b"{}", b"x")
    process._process.kill()
    with pytest.raises(WorkFailedError, match="ended early"):
        await process.call(b"write", b"{}", b"x" * 1_000_000)
    with pytest.raises(WorkFailedError, match="an error of the type"):
        await process.call(b"write", b"{}", b"x")


async def test_a_process_that_cannot_be_started_is_no_database_that_is_away(worker, monkeypatch):
    process = worker()
    with monkeypatch.context() as patch:
        patch.setattr("approval_api.computing.worker_process.sys.executable", "/nowhere/python")
        with pytest.raises(
            ProblemError, match=r"the process for scoring could not be started \(No such"
        ) as no:
            await process.call(b"write", b"{}", b"x")
    assert (no.value.problem.status, no.value.problem.type.endswith(":busy")) == (503, True)
    with pytest.raises(WorkFailedError, match="an error of the type"):
        await process.call(b"write", b"{}", b"x")


async def test_too_many_tasks_are_refused_at_once(worker):
    process = worker(waiting=1)
    tasks = [asyncio.create_task(process.call(b"write", b"{}", b"x")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ProblemError, match="too many requests are waiting for scoring"):
        await process.call(b"write", b"{}", b"x")
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_worker_has_no_secret_and_no_more_memory_than_its_share(worker, monkeypatch):
    monkeypatch.setenv("APPROVAL_DATABASE_URL", "postgresql://secret")
    process = worker()
    with pytest.raises(WorkFailedError):
        await process.call(b"write", b"{}", b"x")
    folder = Path(f"/proc/{process._process.pid}")
    assert b"APPROVAL" not in (folder / "environ").read_bytes()
    limits = (folder / "limits").read_text().splitlines()
    (data,) = [line for line in limits if line.startswith("Max data size")]
    assert data.split()[3] == str(160 * 1024 * 1024)
