"""testcontainers-python, one container after another as its documentation shows it."""

import os
import time
from contextlib import ExitStack
from typing import Any

from bench.contestants.bodies import LABEL, Bodies

# Its own reaper is an image that would have to be pulled; it is read when the library is imported.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy

_HOST_CONFIG = {
    "CapAdd": "cap_add",
    "CapDrop": "cap_drop",
    "Memory": "mem_limit",
    "MemorySwap": "memswap_limit",
    "NanoCpus": "nano_cpus",
    "PidsLimit": "pids_limit",
    "ReadonlyRootfs": "read_only",
    "SecurityOpt": "security_opt",
}


def bring_up_and_remove(bodies: Bodies) -> tuple[float, float]:
    """Return the seconds until every target is healthy, and those until nothing is left."""
    labels = {LABEL: bodies.label.partition("=")[2]}
    options = {"internal": True, "options": bodies.network["Options"], "labels": labels}
    with ExitStack() as removed:
        begin = time.monotonic()
        network = removed.enter_context(Network(docker_network_kw=options))
        for service, body in bodies.containers.items():
            container = (
                DockerContainer(body["Image"], **_granted(body["HostConfig"]), labels=labels)
                .with_network(network)
                .with_network_aliases(service)
                .waiting_for(HealthcheckWaitStrategy().with_poll_interval(0.05))
            )
            for path, options_of_mount in (body["HostConfig"].get("Tmpfs") or {}).items():
                container.with_tmpfs_mount(path, options_of_mount)
            container.with_envs(**dict(each.split("=", 1) for each in body["Env"]))
            removed.enter_context(container)
        up = time.monotonic() - begin
        begin = time.monotonic()
    return up, time.monotonic() - begin


def _granted(host_config: dict[str, Any]) -> dict[str, Any]:
    given = ((name, ours, host_config.get(name)) for name, ours in _HOST_CONFIG.items())
    return {ours: value for _, ours, value in given if value is not None}
