"""Three hosts that all manage the swarm: one may be lost, and what crosses the others goes on."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fleet_lab import LAYERS, FleetLab, open_fleet
from fleet_stack import stack_of
from local_stack import ROOT
from quick_stack import FOUND, found_in

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        "DRYRUN_MANAGERS" not in os.environ,
        reason="takes 77 s, and has passed five times in a row only; DRYRUN_MANAGERS=1 runs it",
    ),
]

OVERLAYS = f"/networks?{urlencode({'filters': json.dumps({'driver': ['overlay']})})}"
ALLOWLIST = ROOT / ".dryrun" / "allowlist.json"


@pytest.fixture
def managers() -> Iterator[FleetLab]:
    if not LAYERS.is_dir():
        pytest.skip("needs an engine of its own: tests/support/with-own-engine .venv/bin/pytest …")
    with (
        tempfile.TemporaryDirectory(prefix="dt-", ignore_cleanup_errors=True) as folder,
        open_fleet(Path(folder) / "fleet", ALLOWLIST, managers=3) as lab,
    ):
        yield lab


async def test_sessions_across_the_others_go_on_and_begin_when_a_manager_is_lost(
    managers: FleetLab, empty_cluster: Path
) -> None:
    # The lost one is asked first as long as it answers, and has no room for a target.
    lost = managers.hosts["c"]
    async with stack_of(managers, empty_cluster, managers.fleet_file(c=0)) as stack:
        kept, scanned = [await stack.start_session("spread", keep=keep) for keep in (True, False)]
        await stack.wait_for_phase(kept, "kept", seconds=120)
        await stack.wait_for_phase(scanned, "scanning", "ended", seconds=120)
        managers.end_engine(lost, signal.SIGKILL)
        view = await stack.wait_until_ended(scanned, 180)
        assert (view.outcome, view.reason) == ("completed", None)
        assert found_in(stack, scanned) == FOUND
        # Any manager may remove the overlay, whoever made it.
        await stack.client.stop_session(kept)
        view = await stack.wait_until_ended(kept, 120)
        assert view.outcome == "stopped"
        async with asyncio.timeout(60):
            while "c: it has not answered" not in (await stack.orchestrator_get("/readyz")).text:
                await asyncio.sleep(0.5)
        begun = await stack.start_session("spread")
        view = await stack.wait_until_ended(begun, 180)
        assert (view.outcome, view.reason) == ("completed", None)
        assert found_in(stack, begun) == FOUND
        managers.start_engine(lost)
        assert [managers.left_of(str(each)) for each in (kept, scanned, begun)] == [[], [], []]
    assert managers.ask(managers.manager, "GET", OVERLAYS) == (200, [])
    for host in managers.workers:
        managers.end_engine(host, signal.SIGKILL)
    # One of three has no leader, and its engine lists no overlay without an error.
    async with asyncio.timeout(60):
        while managers.ask(managers.manager, "GET", OVERLAYS)[0] != 503:
            await asyncio.sleep(0.5)
    assert managers.ask(managers.manager, "GET", "/networks") == (200, [])
    assert "message" not in managers.manager.ask("GET", OVERLAYS)
