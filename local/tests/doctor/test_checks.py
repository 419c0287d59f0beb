import os

import pytest

from dryrun_local.doctor.checks import all_results
from dryrun_local.doctor.examination import examine
from dryrun_local.machine.installation import Installation
from dryrun_local.terminal.screen import Screen


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Installation:
    """A checkout without images, on a machine without an engine or programs."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    return Installation(tmp_path, tmp_path / "state")


async def findings_of(installation) -> dict:
    return {result.check: result async for result in all_results(installation, os.environ)}


async def test_a_bare_machine_gets_a_fix_for_everything_missing(bare):
    findings = await findings_of(bare)
    for check in ("program docker", "program mmdebstrap", "Docker Engine", "Python"):
        assert findings[check].state == "missing"
        assert findings[check].fixes, check
    assert "apt-get install docker.io" in findings["Docker Engine"].fixes[0]
    assert "does not answer" in findings["Docker Engine"].detail


async def test_exits_with_1_when_something_is_missing(bare, capsys):
    assert await examine(bare, Screen(to_error=True), as_json=True) == 1
    assert '"check": "Docker Engine"' in capsys.readouterr().out
