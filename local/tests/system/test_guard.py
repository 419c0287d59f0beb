"""The guard between this machine's engine and the orchestrator."""

import os
import stat
from pathlib import Path

import pytest

from dryrun_local.machine.engine_view import open_engine
from dryrun_local.machine.errors import EngineError, ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.guard import policy_for, running_guard

ROOT = Path(__file__).resolve().parents[3]
NARROW = {"seccomp": "narrow"}
"""Of every policy."""


@pytest.fixture
def installation(tmp_path) -> Installation:
    installation = Installation(ROOT, tmp_path / "state")
    installation.prepare()
    return installation


def test_the_policy_has_the_orchestrators_pool():
    pool = {"subnet_pool": "10.214.0.0/16"}
    assert policy_for({"ORCHESTRATOR_SUBNET_POOL": "10.214.0.0/16"}) == NARROW | pool
    assert policy_for({}) == NARROW


@pytest.mark.parametrize(("output", "log"), [(2**26, 2**29), (2**18, 10 * 2**20)])
def test_the_policy_allows_the_log_size_that_the_orchestrator_requests(output, log):
    policy = policy_for({"ORCHESTRATOR_OUTPUT_BYTES": str(output)})
    assert policy == NARROW | {"log_bytes": {"target": 10 * 2**20, "collector": log}}
    assert policy_for({"ORCHESTRATOR_OUTPUT_BYTES": "much"}) == NARROW


async def test_a_guard_without_an_allowlist_ends_with_the_reason(installation):
    with pytest.raises(ServiceDiedError, match="the allowlist"):
        async with running_guard(installation, os.environ, os.environ):
            pytest.fail("it runs without an allowlist")


def mode_of(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.mark.engine
async def test_the_guard_is_an_engine_that_knows_no_images(installation):
    installation.allowlist.write_text('{"version": 1, "images": {}}')
    async with running_guard(installation, os.environ, os.environ) as (_, address):
        assert mode_of(address.removeprefix("unix://")) == 0o660
        async with open_engine({"DOCKER_HOST": address}) as guard:
            assert (await guard.get("/version"))["Version"]
            with pytest.raises(EngineError, match="403"):
                await guard.get("/images/json")


@pytest.mark.engine
async def test_a_state_folder_with_a_long_path_gets_its_socket_elsewhere(tmp_path):
    installation = Installation(ROOT, tmp_path / ("long" * 30))
    installation.prepare()
    installation.allowlist.write_text('{"version": 1, "images": {}}')
    async with running_guard(installation, os.environ, os.environ) as (_, address):
        assert len(address) < 107
