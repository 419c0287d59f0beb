import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from dryrun_local.machine.errors import ServiceDiedError
from dryrun_local.machine.installation import OWNER_MARK, Installation
from dryrun_local.system.processes import Program, end_leftovers, find_leftovers, running


@pytest.fixture
def installation(tmp_path) -> Installation:
    installation = Installation(tmp_path, tmp_path / "state")
    installation.prepare()
    return installation


def a_program(installation, script: str, **chosen) -> Program:
    return Program(
        "the sleeper", (sys.executable, "-c", script), os.environ, installation.logs / "sleeper.log", **chosen
    )


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def never() -> str:
    return "its port is closed"


async def until_logged(program: Program, words: str) -> None:
    async with asyncio.timeout(10):
        while words not in program.log.read_text():
            await asyncio.sleep(0.02)


async def test_ends_with_the_block(installation):
    async with running(installation, a_program(installation, "import time; time.sleep(60)")) as child:
        assert is_alive(child.pid)
    assert not is_alive(child.pid)


async def test_kills_a_program_that_ignores_its_signal(installation):
    script = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    program = a_program(installation, script, stop_seconds=0.2)
    async with running(installation, program) as child:
        await until_logged(program, "deaf")
        begun = time.monotonic()
    assert not is_alive(child.pid)
    assert time.monotonic() - begun < 5


async def test_shows_the_end_of_the_log_of_a_program_that_dies_early(installation):
    program = a_program(installation, "import sys; print('no such setting: \\x1b[31mCOLOUR'); sys.exit(3)")
    async with running(installation, program) as child:
        with pytest.raises(ServiceDiedError) as caught:
            await child.until(never, 10)
    assert "the sleeper ended unexpectedly (exit code 3)" in str(caught.value)
    assert r"no such setting: \x1b[31mCOLOUR" in str(caught.value)
    assert str(program.log) in str(caught.value)


async def test_names_the_signal_that_killed_a_program(installation):
    async with running(installation, a_program(installation, "import os; os.kill(os.getpid(), 9)")) as child:
        assert "killed by SIGKILL" in str(await child.death())


async def test_names_what_was_missing_when_time_runs_out(installation):
    async with running(installation, a_program(installation, "import time; time.sleep(60)")) as child:
        with pytest.raises(ServiceDiedError, match=r"not ready within 0 s \(its port is closed\)"):
            await child.until(never, 0.2)


async def test_names_a_program_that_is_not_installed(installation):
    missing = Program("the API", ("/nowhere/approval-api",), {}, installation.logs / "api.log")
    with pytest.raises(ServiceDiedError, match=r"the API cannot be started.*make demo"):
        async with running(installation, missing):
            pass


async def test_the_log_of_the_run_before_is_kept(installation):
    for word in ("first", "second"):
        program = a_program(installation, f"print('{word}')")
        async with running(installation, program) as child:
            await child.death()
    assert program.log.read_text() == "second\n"
    assert program.log.with_name("sleeper.log.1").read_text() == "first\n"


@pytest.fixture
def start_sleeper():
    started = []

    def start(mark: str) -> subprocess.Popen[bytes]:
        sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
        started.append(subprocess.Popen(sleeping, env=os.environ | {OWNER_MARK: mark}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


async def test_finds_processes_of_a_killed_run_by_their_mark_and_ends_them(installation, start_sleeper):
    ours = start_sleeper(str(installation.state))
    neighbours = start_sleeper(f"{installation.state}-of-another")
    ended = asyncio.create_task(end_leftovers(installation))
    assert await asyncio.to_thread(ours.wait, 10) == -signal.SIGTERM
    assert len(await ended) == 1
    assert neighbours.poll() is None
    assert find_leftovers(installation) == []
