"""One deployment for all tests here; a test that changes it says so in its name."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment import DEPLOY, OUTSIDE, OUTSIDE_PORT, ROOT, Deployment, Json, prepared, run


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    # A short path, and one that the engine's containers may read.
    place = Path(tempfile.mkdtemp(prefix="dt-"))
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="package")
def deployment(folder: Path) -> Iterator[Deployment]:
    """The whole system, up and healthy, on a host whose rule is the one of this folder."""
    if os.geteuid() == 0:
        run(str(DEPLOY / "host-rule" / "dryrun-host-rule"), "check")
    run(str(ROOT / ".venv" / "bin" / "dryrun-local"), "images", "services", seconds=600)
    hosts = f"http://{OUTSIDE[1]}:{OUTSIDE_PORT}={OUTSIDE[1]}/32"
    with prepared(folder, options=("--deliver-to", hosts)) as made:
        made.up()
        yield made


@pytest.fixture(scope="module")
def containers(deployment: Deployment) -> dict[str, Json]:
    """What the engine says of each service's container, the one that has done its work included.

    Of this module's time: rotating a secret makes containers anew.
    """
    services = deployment.compose("config", "--services").split()
    return {service: deployment.inspect(service) for service in services}


@pytest.fixture(scope="package")
def networks(deployment: Deployment) -> dict[str, Json]:
    """What the engine says of each of its networks."""
    label = f"label=com.docker.compose.project={deployment.project}"
    names = run("docker", "network", "ls", "--quiet", "--filter", label).split()
    return {
        network["Labels"]["com.docker.compose.network"]: network
        for network in json.loads(run("docker", "network", "inspect", *names))
    }
