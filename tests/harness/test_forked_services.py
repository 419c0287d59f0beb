"""A service started by fork is a process like any other: of its forge it has nothing but the imports."""

import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from forked_services import FORGES
from local_stack import ROOT

from dryrun_local.machine.errors import ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.processes import Child, Program, running

INSTALLED = ROOT / ".venv" / "bin"
NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"
SETTINGS = {"APPROVAL_DATABASE_URL": NOWHERE, "APPROVAL_DRYRUN": "off", "APPROVAL_LISTEN": "127.0.0.1:0"}


@asynccontextmanager
async def api(folder: Path, root: Path = ROOT, **environment: str) -> AsyncIterator[Child]:
    """An approval API, which waits for its database."""
    installation = Installation(root, folder)
    installation.prepare()
    command = (str(INSTALLED / "approval-api"), "serve")
    program = Program("the API", command, {**os.environ, **environment}, installation.logs / "api.log")
    async with running(installation, program) as child:
        yield child


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def streams_of(pid: int) -> list[Path]:
    return [Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)]


async def never() -> str:
    return "it is to end"


async def test_it_has_a_session_a_folder_and_streams_of_its_own(tmp_path: Path) -> None:
    async with api(tmp_path, **SETTINGS) as child:
        assert "service_forge" in command_of(child.pid)
        assert os.getsid(child.pid) == child.pid
        assert os.readlink(f"/proc/{child.pid}/cwd") == str(ROOT)  # noqa: PTH115  # a link of the kernel's
        assert streams_of(child.pid) == [Path(os.devnull), child.program.log, child.program.log]


async def test_it_has_its_own_arguments_and_environment_and_ends_with_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(ServiceDiedError, match=r"(?s)exit code 2.*APPROVAL_DATABASE_URL"):
        async with api(tmp_path) as child:
            await child.until(never, 30)


async def test_one_that_is_killed_says_by_what(tmp_path: Path) -> None:
    async with api(tmp_path, **SETTINGS) as child:
        os.kill(child.pid, signal.SIGKILL)
        assert "killed by SIGKILL" in str(await child.death())
        assert not is_there(child.pid)


async def test_one_that_is_stopped_is_gone(tmp_path: Path) -> None:
    async with api(tmp_path, **SETTINGS) as child:
        pass
    assert not is_there(child.pid)


async def test_a_preloaded_library_is_there_from_the_start(tmp_path: Path) -> None:
    async with api(tmp_path, **SETTINGS, LD_PRELOAD="") as child:
        assert "service_forge" not in command_of(child.pid)


async def test_one_that_cannot_start_says_why_and_the_next_one_starts(tmp_path: Path) -> None:
    with pytest.raises(ServiceDiedError, match="No such file or directory"):
        async with api(tmp_path, ROOT / "nowhere", **SETTINGS):
            pass
    async with api(tmp_path, **SETTINGS) as child:
        assert is_there(child.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks")
def test_one_in_another_network_is_there_from_the_start(tmp_path: Path) -> None:
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as other:
        network = Path(f"/proc/{other.pid}/ns/net")
        try:
            while network.readlink() == Path("/proc/self/ns/net").readlink():
                time.sleep(0.01)
            command = (str(INSTALLED / "approval-api"), "serve")
            child = FORGES.start(command, {**os.environ, **SETTINGS}, ROOT, tmp_path / "log", network)
            assert Path(f"/proc/{child.pid}/ns/net").readlink() == network.readlink()
            child.kill()
            assert child.has_ended_within(10)
        finally:
            other.kill()


def test_requests_at_the_same_moment_start_a_process_each(tmp_path: Path) -> None:
    command = (str(INSTALLED / "docker-guard"), "--help")
    with ThreadPoolExecutor() as pool:
        logs = [tmp_path / str(number) for number in range(8)]
        children = list(pool.map(lambda log: FORGES.start(command, os.environ, ROOT, log), logs))
        assert all(child.has_ended_within(20) for child in children)
    assert len({child.pid for child in children}) == 8
    assert ["usage" in log.read_text() for log in logs] == [True] * 8
