"""Images are copied to a host that lacks them, and are the pinned ones there."""

import json
from pathlib import Path

import pytest
from fleet_lab import FleetLab
from local_stack import ROOT

from dryrun_local.images.distribution import distribute
from dryrun_local.images.programs import ProgramError

pytestmark = pytest.mark.engine

ALLOWLIST = ROOT / ".dryrun" / "allowlist.json"


async def test_a_host_gets_what_it_lacks_and_nothing_else(fleet: FleetLab, tmp_path: Path) -> None:
    worker = fleet.workers[0]
    pinned = json.loads(ALLOWLIST.read_text())["images"]["discovery/test-quiet:1.0"]["id"]
    worker.docker("image", "rm", "--force", pinned)
    first = await distribute(worker.docker_host, ALLOWLIST, tmp_path / "log")
    assert first.copied == ("discovery/test-quiet:1.0",)
    name = ("image", "inspect", "--format", "{{.Id}}", "discovery/test-quiet:1.0")
    assert worker.docker(*name) == pinned
    second = await distribute(worker.docker_host, ALLOWLIST, tmp_path / "log")
    assert (second.copied, second.here) == ((), first.here + 1)
    with pytest.raises(ProgramError, match="nowhere"):
        await distribute(f"unix://{tmp_path}/nowhere", ALLOWLIST, tmp_path / "log")
