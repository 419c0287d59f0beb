"""A host set up anew: the swarm holds an overlay for its container of before, and the session ends."""

import asyncio
import json
import shutil
import signal
from pathlib import Path
from uuid import UUID

import pytest
from fleet_lab import FleetLab
from fleet_stack import stack_of
from local_stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.long(100)]


async def test_a_session_ends_beside_an_overlay_that_the_swarm_holds_until_the_node_is_removed(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    renewed = fleet.hosts["b"]
    # Its targets stand on the workers, its collectors on the manager.
    async with stack_of(
        fleet, empty_cluster, fleet.fleet_file(a=2), ORCHESTRATOR_REAPER_SECONDS="1"
    ) as stack:
        session_id = await stack.start_session("spread", keep=True)
        await stack.wait_for_phase(session_id, "kept", seconds=120)
        node = renewed.docker("info", "--format", "{{.Swarm.NodeID}}")
        assert renewed.docker("ps", "--quiet", "--filter", label_of(session_id))
        fleet.end_engine(renewed, signal.SIGKILL)
        fleet.end_containers(renewed)
        # Its disk's part of the swarm is lost, and with it the word that the container is gone.
        shutil.rmtree(renewed.folder / "data" / "swarm")
        fleet.start_engine(renewed)
        ended = await stack.wait_until_ended(session_id, 180)
        name = f"dryrun-{session_id}"
        assert ended.outcome == "failed"
        assert f"; its empty overlay {name} is left: the swarm keeps a task on it" in str(ended.reason)
        overlay = fleet.manager.docker(
            "network", "ls", "--no-trunc", "--quiet", "--filter", label_of(session_id)
        )
        assert fleet.left_of(str(session_id)) == [f"a: {overlay[:12]}"]
        refused = fleet.manager.ask("DELETE", f"/networks/{overlay}")
        assert f"network {overlay} is in use by task " in refused["message"]
        assert f"empty overlays that the swarm holds: 1 ({name})" in await readiness(stack)
        # Its host joins again and is another node: the next session has a subnet of its own at once.
        fleet.join_worker(renewed)
        other = await stack.start_session("spread")
        view = await stack.wait_until_ended(other, 180)
        assert (view.outcome, view.reason) == ("completed", None)
        fleet.manager.docker("node", "rm", "--force", node)
        async with asyncio.timeout(30):
            while fleet.left_of(str(session_id)) or "holds" in await readiness(stack):
                await asyncio.sleep(0.5)


def label_of(session_id: UUID) -> str:
    return f"label=discovery.dryrun.session_id={session_id}"


async def readiness(stack: Stack) -> str:
    checks: dict[str, str] = json.loads((await stack.orchestrator_get("/readyz")).text)["checks"]
    return checks["overlay"]
