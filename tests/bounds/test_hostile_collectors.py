"""A collector that was taken over costs its own session the result, and nobody else anything.

Each says 16 MiB of one kind while somebody else signs in and looks at the overview. Judged from outside.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
import pytest_asyncio
from bad_collectors import built_collectors, write_allowlist
from hostile_collectors import PROGRAMS
from insiders import World
from local_stack import API_TOKEN, Stack, open_stack, plain_client
from quick_stack import QUICK

pytestmark = [pytest.mark.engine, pytest.mark.paired, pytest.mark.asyncio(loop_scope="module")]

VIEWERS = 7
TEMPLATE = """
x-dryrun:
  title: One machine
  description: A web server, and a collector that somebody has taken over.
  collectors: [{name}]
services:
  web:
    image: discovery/test-nginx:1.26
    x-ground-truth:
      - {{kind: host, key: ""}}
      - {{kind: service, key: ":80/tcp", data: {{product: nginx}}}}
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Templates, collectors and an allowlist with every hostile collector, beside the real ones."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "templates").mkdir()
    (folder / "templates" / "quick.yml").write_text(QUICK)
    with built_collectors(_docker, folder, 60, PROGRAMS) as ids:
        for name in PROGRAMS:
            (folder / "templates" / f"{name}.yml").write_text(TEMPLATE.format(name=name))
        write_allowlist(folder / "allowlist.json", ids)
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(empty_cluster: Path, hostile: Path) -> AsyncIterator[World]:
    settings = {
        "ORCHESTRATOR_TEMPLATES_DIR": str(hostile / "templates"),
        "ORCHESTRATOR_COLLECTORS_DIR": str(hostile / "collectors"),
        "ORCHESTRATOR_ALLOWLIST": str(hostile / "allowlist.json"),
        "ORCHESTRATOR_SESSION_SECONDS": "600",
    }
    with TemporaryDirectory(prefix="dt-") as state:
        async with open_stack(Path(state), empty_cluster, settings) as stack:
            yield await World.of(stack)


@pytest.mark.parametrize("kind", PROGRAMS)
async def test_what_a_hostile_collector_says_harms_nobody_else(world: World, kind: str) -> None:
    stack = world.stack
    # A collector may be stopped within seconds: of a hundred it is known what 99 take.
    async with world.undisturbed(kind, overviews=100):
        session_id = await stack.start_session(kind)
        # Twenty thousand discoveries take half a minute where nothing else is done.
        await stack.wait_until_ended(session_id, seconds=240)
        await _everybody_looks(stack, session_id)


async def test_the_next_session_works(world: World) -> None:
    session_id = await world.stack.start_session("quick")
    session = await world.stack.wait_until_ended(session_id)
    assert session.outcome == "completed", session.reason
    report = await world.stack.client.report(session_id)
    assert report["scores"]["overall"]["recall"] > 0.9


async def _everybody_looks(stack: Stack, session_id: UUID) -> None:
    """Viewers ask at once for the session's pages and reports, and none of them gets a fault."""
    pages = (
        "/",
        f"/dryrun/sessions/{session_id}",
        f"/dryrun/sessions/{session_id}/report",
        f"/api/v1/dryrun/sessions/{session_id}/report",
        f"/api/v1/dryrun/sessions/{session_id}/report?format=markdown",
        f"/api/v1/dryrun/sessions/{session_id}/discoveries",
        "/production/discoveries",
    )
    headers = {"Authorization": f"Bearer {API_TOKEN}", "Accept": "text/html, application/json"}
    async with plain_client(base_url=stack.api.url, headers=headers, timeout=60) as client:
        answers = await asyncio.gather(*(client.get(page) for page in pages for _ in range(VIEWERS)))
    # A service that has its hands full may say so; it may not break.
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 429, 503}, statuses
    assert 200 in statuses


def _docker(*arguments: str, seconds: float = 120) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False, env=os.environ
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout.strip()
