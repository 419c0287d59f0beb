"""Fixtures for tests across services: the real engine, and a system for one test on it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from forked_services import forking
from local_stack import ROOT, Stack, open_stack
from quick_stack import QUICK

from dryrun_local.machine.engine_view import EngineView, open_engine
from dryrun_local.machine.errors import EngineError

type StartStack = Callable[..., Awaitable[Stack]]
type Docker = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def services_start_by_fork() -> Iterator[None]:
    with forking(ROOT / ".venv" / "bin"):
        yield


@pytest.fixture
async def engine() -> AsyncIterator[EngineView]:
    """The real engine. Without it tests fail and name the command that installs it."""
    async with open_engine(os.environ) as view:
        try:
            await view.get("/version")
        except EngineError as error:
            pytest.fail(
                f"{error}\n`make test` installs and starts the engine, and builds the images.", pytrace=False
            )
        if not (ROOT / ".dryrun" / "allowlist.json").exists():
            pytest.fail("the images are not built; run: .venv/bin/dryrun-local images build", pytrace=False)
        yield view


@pytest.fixture
def docker() -> Docker:
    """The docker command: `docker("ps", "-q")` returns its output; AssertionError when it fails."""

    def run(*arguments: str, seconds: float = 60) -> str:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def empty_cluster() -> Iterator[Path]:
    # A short path: the name of a Unix socket has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="dt-"))
    yield folder / "cluster"
    shutil.rmtree(folder)


@pytest.fixture
async def start_stack(engine: EngineView, empty_cluster: Path) -> AsyncIterator[StartStack]:
    """Start a system: `stack = await start_stack(ORCHESTRATOR_SESSION_SECONDS="30")`.

    At the test's end its sessions are stopped, and the test fails when the engine still holds any of them.
    """
    async with AsyncExitStack() as exits:

        async def start(**settings: str) -> Stack:
            state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="dt-")))
            return await exits.enter_async_context(open_stack(state, empty_cluster, settings))

        yield start


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, str]:
    """Settings of a system whose only template is `quick`, which costs half of what `small` does."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "quick.yml").write_text(QUICK, encoding="utf-8")
    return {"ORCHESTRATOR_TEMPLATES_DIR": str(folder)}
