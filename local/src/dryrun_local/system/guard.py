"""Runs the guard, the orchestrator's only way to this machine's engine."""

import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dryrun_local.machine.engine_view import DEFAULT_HOST, open_engine
from dryrun_local.machine.errors import EngineError
from dryrun_local.machine.files import write_atomically
from dryrun_local.machine.installation import Installation
from dryrun_local.system.processes import Child, Program, running
from dryrun_orchestrator.engine.protocol import Limits
from dryrun_orchestrator.session.collector_container import LOG_FACTOR

_READY_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_LONGEST_SOCKET_PATH: Final = 107


@asynccontextmanager
async def running_guard(
    installation: Installation,
    environ: Mapping[str, str],
    inherited: Mapping[str, str],
    ceilings: Mapping[str, int] = MappingProxyType({}),
) -> AsyncIterator[tuple[Child, str]]:
    """Run the guard during the block; yield it and its address in the form of DOCKER_HOST.

    `environ` chooses engine, subnets and allowlist, which has to be complete. `ceilings` override defaults of
    the policy. Raises ServiceDiedError.
    """
    policy = installation.state / "guard-policy.json"
    write_atomically(policy, json.dumps({**policy_for(environ), **ceilings}))
    with tempfile.TemporaryDirectory(prefix="dryrun-") as spare:
        socket = installation.state / "guard.sock"
        if len(str(socket)) > _LONGEST_SOCKET_PATH:
            socket = Path(spare) / "guard.sock"
        address = f"unix://{socket}"
        program = Program(
            name="the guard",
            command=(
                str(installation.program("docker-guard")),
                "serve",
                f"--listen={address}",
                f"--docker={environ.get('DOCKER_HOST') or DEFAULT_HOST}",
                f"--allowlist={environ.get('ORCHESTRATOR_ALLOWLIST', installation.allowlist)}",
                f"--policy={policy}",
            ),
            environment=inherited,
            log=installation.logs / "guard.log",
            stop_seconds=_STOP_SECONDS,
        )
        async with running(installation, program) as child:
            await child.until(lambda: _missing(address), _READY_SECONDS)
            yield child, address


def policy_for(environ: Mapping[str, str]) -> dict[str, object]:
    """Return what of the guard's policy is not its default; the orchestrator's settings change some.

    >>> policy_for({"ORCHESTRATOR_SUBNET_POOL": "10.214.0.0/16"})
    {'seccomp': 'narrow', 'subnet_pool': '10.214.0.0/16'}
    """
    policy: dict[str, object] = {"seccomp": "narrow"}
    if pool := environ.get("ORCHESTRATOR_SUBNET_POOL"):
        policy["subnet_pool"] = pool
    if (output_bytes := environ.get("ORCHESTRATOR_OUTPUT_BYTES", "")).isdecimal():
        # The orchestrator refuses what is not a number.
        default = Limits().log_bytes  # of targets, and of the probe, which the guard treats as a collector
        policy["log_bytes"] = {"target": default, "collector": max(default, LOG_FACTOR * int(output_bytes))}
    return policy


async def _missing(address: str) -> str:
    try:
        async with open_engine({"DOCKER_HOST": address}) as guard:
            await guard.get("/version")
    except EngineError as error:
        return str(error)
    return ""
