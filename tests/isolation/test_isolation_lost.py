"""A session ends when the host rule is removed during it; on the test's own engine and namespace.

On this machine's own engine taking the rule away would open everybody's sessions to the host.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from isolation_state import FIX, isolation_check
from local_stack import Stack, open_stack
from own_engine import HOST_RULE, OwnEngine, open_own_engine
from quick_stack import QUICK
from small_disks import run

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]

IMAGES = (
    "discovery/test-nginx:1.26",
    "discovery/test-redis:8.0",
    "discovery/test-collector-network:1.0",
    "discovery/test-collector-database:1.0",
    "discovery/test-collector-probe:1.0",
)
PERIOD_SECONDS = 3
CLEANUP_SECONDS = 20
"""A probe and its second try, and the removal of the session on a busy machine."""


@pytest.fixture
def folder() -> Iterator[Path]:
    # A short path: the name of a Unix socket has 107 bytes.
    made = Path(tempfile.mkdtemp(prefix="dt-"))
    yield made
    shutil.rmtree(made)


async def in_phase(stack: Stack, phase: str) -> UUID:
    session_id = await stack.start_session("quick", keep=True)
    await stack.wait_for_phase(session_id, phase)
    return session_id


async def ends_for_want_of_isolation(stack: Stack, session_id: UUID) -> None:
    began = time.monotonic()
    session = await stack.wait_until_ended(session_id)
    assert time.monotonic() - began < PERIOD_SECONDS + CLEANUP_SECONDS
    assert session.outcome == "failed"
    reason = session.reason or ""
    assert reason.startswith("the network is no longer isolated from the host: the host answers")
    assert FIX in reason
    assert await stack.things_of(session_id) == []
    await isolation_check(stack, wanted="no: the host answers")


def in_namespace(engine: OwnEngine, *command: str) -> None:
    run("nsenter", f"--net=/run/netns/{engine.namespace}", *command)


@pytest.mark.timeout(600)
async def test_a_session_ends_soon_after_the_rule_is_gone(folder, empty_cluster, monkeypatch):
    (folder / "templates").mkdir()
    (folder / "templates" / "quick.yml").write_text(QUICK, encoding="utf-8")
    settings = {
        "ORCHESTRATOR_TEMPLATES_DIR": str(folder / "templates"),
        "ORCHESTRATOR_ISOLATION_SECONDS": str(PERIOD_SECONDS),
        "ORCHESTRATOR_REAPER_SECONDS": "1",
    }
    async with open_own_engine(folder, IMAGES) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.docker_host)
        async with open_stack(folder / "state", empty_cluster, settings) as stack:
            scanning = await in_phase(stack, "scanning")
            in_namespace(engine, "nft", "flush", "ruleset")
            await ends_for_want_of_isolation(stack, scanning)

            in_namespace(engine, str(HOST_RULE), "apply")
            await isolation_check(stack, wanted="ok")
            kept = await in_phase(stack, "kept")
            in_namespace(engine, "nft", "delete", "table", "inet", "dryrun")
            await ends_for_want_of_isolation(stack, kept)
