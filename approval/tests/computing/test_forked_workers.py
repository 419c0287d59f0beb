"""A worker of tests is a process like one that a service starts, but for its start."""

import os
from pathlib import Path

import pytest

from approval_api.computing.worker_process import WorkerProcess, WorkFailedError

TASK = (b"write", b"{}", b"not compressed")


@pytest.fixture
async def worker():
    process = WorkerProcess(
        "approval_api.reports.worker", "scoring", seconds=30, waiting=2, answer_bytes=10_000
    )
    yield process
    await process.close()


async def fails_at_its_task(worker):
    with pytest.raises(WorkFailedError, match="an error of the type"):
        await worker.call(*TASK)
    return worker._process.pid


async def test_it_has_a_session_an_environment_and_limits_of_its_own(worker, monkeypatch):
    monkeypatch.setenv("APPROVAL_SECRET", "of the service")
    pid = await fails_at_its_task(worker)
    of_it = Path(f"/proc/{pid}")
    assert "service_forge" in (of_it / "cmdline").read_text()
    assert os.getsid(pid) == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 5
    assert f"Max data size             {160 * 1024 * 1024} " in (of_it / "limits").read_text()


async def test_it_does_one_task_after_another_and_is_replaced_once_it_was_killed(worker):
    first = await fails_at_its_task(worker)
    assert await fails_at_its_task(worker) == first
    os.kill(first, 9)
    # Its end may be known before the task is handed over: then another one has it.
    with pytest.raises(WorkFailedError, match=r"ended early|an error of the type"):
        await worker.call(b"write", b"{}", b"x" * 1_000_000)
    assert await fails_at_its_task(worker) != first


async def test_its_end_is_waited_for(worker):
    pid = await fails_at_its_task(worker)
    await worker.close()
    with pytest.raises(ProcessLookupError):
        os.getsid(pid)


async def test_what_it_logs_arrives_where_the_service_logs(worker, capfd):
    await fails_at_its_task(worker)
    assert '"message": "a report failed"' in capfd.readouterr().err
