"""The compose files of a fleet are accepted, and grant no more than the one for a single host."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from deployment import DEPLOY

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="docker compose reads the files")

SETTINGS = {
    "DOCKER_GID": "290",
    "COMPOSE_PROFILES": "dryrun",
    "FLEET_ADDRESS": "10.213.254.2",
    "FLEET_MANAGERS": "tcp://10.213.254.1:2376",
}
FLEET = DEPLOY / "fleet"
ONE_HOST = (DEPLOY / "compose.yaml",)
CONTROL = (*ONE_HOST, FLEET / "compose.control.yaml")
MANAGER = (FLEET / "compose.host.yaml",)
WORKER = (*MANAGER, FLEET / "compose.worker.yaml")
HARDENING = (
    *("image", "pull_policy", "restart", "read_only", "cap_drop", "cap_add", "security_opt", "privileged"),
    *("pids_limit", "mem_limit", "cpus", "logging", "group_add", "tmpfs", "user", "pid", "ipc", "devices"),
    "network_mode",
)


def read(tmp_path: Path, files: tuple[Path, ...], without: str = "", *more: str) -> Any:
    env = tmp_path / "env"
    env.write_text("".join(f"{key}={value}\n" for key, value in SETTINGS.items() if key != without))
    options = [option for file in files for option in ("--file", str(file))]
    command = ["docker", "compose", *options, "--env-file", str(env), *more, "config", "--format=json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def one_host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return read(tmp_path_factory.mktemp("one"), ONE_HOST)


def arguments(service: Any) -> set[str]:
    return {word.partition("=")[0] for word in service["command"]}


@pytest.mark.parametrize("files", [MANAGER, WORKER], ids=["manager", "worker"])
def test_a_hosts_guard_is_as_shut_as_that_of_one_host(tmp_path: Path, one_host: Any, files: tuple[Path, ...]):
    read_files = read(tmp_path, files)
    ((name, guard),) = read_files["services"].items()
    known = one_host["services"]["docker-proxy"]
    assert name == "docker-guard"
    assert {key: guard.get(key) for key in HARDENING} == {key: known.get(key) for key in HARDENING}
    added = {"--manager", "--manager-certs"} if files == WORKER else set()
    assert arguments(guard) == arguments(known) | added
    mounts = [(mount["source"], mount["read_only"]) for mount in guard["volumes"]]
    assert mounts[0] == ("/var/run/docker.sock", True)
    assert all(is_read_only for _, is_read_only in mounts)
    # At the one address that the fleet knows, never at all of them.
    assert [(port["host_ip"], port["published"]) for port in guard["ports"]] == [("10.213.254.2", "2376")]
    options = [network["driver_opts"] for network in read_files["networks"].values()]
    bridges = [each["com.docker.network.bridge.name"] for each in options]
    # These prefixes are what `peers` and the host rule shut.
    assert bridges == ["drf-guard", "drs-fleet"]


@pytest.mark.parametrize("name", ["DOCKER_GID", "FLEET_ADDRESS", "FLEET_MANAGERS"])
def test_a_setting_that_is_missing_is_named(tmp_path: Path, name: str):
    with pytest.raises(AssertionError, match=name):
        read(tmp_path, WORKER, without=name)


def test_a_control_host_sees_no_engine_and_is_otherwise_the_one_host(tmp_path: Path, one_host: Any):
    control = read(tmp_path, CONTROL)
    assert control["services"].keys() == one_host["services"].keys() - {"docker-proxy"}
    assert "docker.sock" not in json.dumps(control)
    assert "engine" not in control["networks"]
    for name, service in control["services"].items():
        known = one_host["services"][name]
        differs = {key for key in service.keys() | known.keys() if service.get(key) != known.get(key)}
        assert differs <= {
            "approval-api": {"environment"},
            "dryrun-orchestrator": {"environment", "networks", "secrets", "depends_on"},
        }.get(name, set())
    orchestrator = control["services"]["dryrun-orchestrator"]
    assert orchestrator["environment"]["ORCHESTRATOR_FLEET"] == "/etc/dryrun/config/fleet.yml"
    assert not [key for key in orchestrator["environment"] if key.startswith("DOCKER_")]
    assert "ports" not in orchestrator
    assert orchestrator["networks"].keys() == {"control", "guards", "metrics"}
    assert orchestrator["depends_on"].keys() == {"approval-api"}


def test_a_control_host_can_be_taken_down_with_all_profiles(tmp_path: Path):
    every = read(tmp_path, CONTROL, "", "--profile", "*")
    assert "engine" not in every["networks"]
    assert "engine" not in every["services"]["docker-proxy"]["networks"]
