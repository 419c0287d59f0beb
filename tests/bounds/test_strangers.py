"""A stranger who can only open connections to a port keeps nobody from working.

Each flood comes from another address of loopback, while somebody signs in and looks at the overview.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import strangers
from insiders import World
from local_stack import open_stack, plain_client
from quick_stack import QUICK

# Alone: it measures how long others wait.
pytestmark = [pytest.mark.engine, pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

FLOOD_SECONDS = float(os.environ.get("DRYRUN_FLOOD_SECONDS", "2.5"))
"""A nightly run lets them go on for longer."""
STRANGER = "127.0.0.9"
AT_THE_API = sorted(strangers.KINDS.keys() - {"huge-bodies"})
AT_THE_ORCHESTRATOR = (
    "connections",
    "half-heads",
    "huge-bodies",
    "many-methods",
    "metrics",
    "pipelined",
    "ready",
    "unknown-routes",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(empty_cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "quick.yml").write_text(QUICK)
    with TemporaryDirectory(prefix="dt-") as state:
        settings = {"ORCHESTRATOR_TEMPLATES_DIR": str(folder)}
        async with open_stack(Path(state), empty_cluster, settings) as stack:
            yield await World.of(stack)


async def _flooded(world: World, kind: str, url: str) -> None:
    place = urlsplit(url)
    command = (strangers.__file__, kind, place.hostname or "", str(place.port), str(FLOOD_SECONDS), STRANGER)
    async with world.undisturbed(
        f"{kind} at {'the API' if url == world.stack.api.url else 'the orchestrator'}"
    ):
        child = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
        said, _ = await asyncio.wait_for(child.communicate(), FLOOD_SECONDS + 30)
    assert json.loads(said)["opened"] > 0, "the flood met nobody"


@pytest.mark.parametrize("kind", AT_THE_API)
async def test_strangers_at_the_approval_api_keep_nobody_from_working(world: World, kind: str) -> None:
    await _flooded(world, kind, world.stack.api.url)


@pytest.mark.parametrize("kind", AT_THE_ORCHESTRATOR)
async def test_strangers_at_the_orchestrator_keep_nobody_from_working(world: World, kind: str) -> None:
    await _flooded(world, kind, world.stack.orchestrator.url)


async def test_the_next_session_works(world: World) -> None:
    session_id = await world.stack.start_session("quick")
    session = await world.stack.wait_until_ended(session_id)
    assert session.outcome == "completed", session.reason


async def test_the_metrics_page_is_no_longer_for_it(world: World) -> None:
    """Labels are closed sets: what strangers invent makes no series."""
    async with plain_client(timeout=10) as client:
        for service in (world.stack.api, world.stack.orchestrator):
            page = (await client.get(f"{service.url}/metrics")).text
            assert len(page) < 200_000
            assert page.count("\n") < 2000
