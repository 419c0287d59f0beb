"""A deployment of a test's own: the project's compose file, with its own name, bridges and secrets."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_stack import ROOT

from dryrun_local.system.ports import free_ports

DEPLOY = ROOT / "deploy"
SUBNET_POOL = "10.213.112.0/20"
"""Apart from those of a demo and of other tests."""
METRICS_PORT = 9323
OUTSIDE = ("198.18.110.1", "198.18.110.2")
"""This host's and the other address of a link to a machine beyond it, where deliveries go to: a namespace of
the tests, in a network for tests (RFC 2544), since the host rule lets nothing out into the sessions' pool."""
OUTSIDE_PORT = 8080
UP_SECONDS = 240
REACH = Path(__file__).with_name("reach.py")

type Json = dict[str, Any]

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nsenter") is None, reason="enters network namespaces: needs root"
)


@dataclass(frozen=True)
class Deployment:
    """What one `docker compose up` made."""

    project: str
    state: Path
    env_file: Path
    port: int
    files: tuple[str, ...] = ("compose.yaml",)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, seconds: float = 120, check: bool = True) -> str:
        """Run docker compose; returns what it says, AssertionError when it fails."""
        files = [option for file in self.files for option in ("--file", str(DEPLOY / file))]
        command = ["docker", "compose", "--project-name", self.project, "--env-file", str(self.env_file)]
        done = subprocess.run(
            [*command, *files, "--progress=plain", *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_environment(),
        )
        output = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert done.returncode == 0 or not check, f"compose {' '.join(arguments)}:\n{output}"
        return done.stdout.strip()

    def up(self, *services: str) -> None:
        """Bring it up and wait until every service is healthy; if not, report what they said."""
        try:
            self.compose("up", "--detach", "--wait", *services, seconds=UP_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail=40", check=False)

    def inspect(self, service: str) -> Json:
        """Return what the engine says of the service's container."""
        container = self.compose("ps", "--all", "--quiet", service)
        assert container, f"{service} has no container"
        inspected: Json = json.loads(run("docker", "inspect", container))[0]
        return inspected

    def inside(self, service: str, *command: str, seconds: float = 60) -> str:
        """Run a command in the service's container, as its user."""
        return self.compose("exec", "--no-TTY", service, *command, seconds=seconds)

    def prepare(self, *arguments: str) -> str:
        """Run deploy/prepare on this deployment's folders."""
        return run(
            str(DEPLOY / "prepare"), "--state", str(self.state), "--env", str(self.env_file), *arguments
        )


def addresses(inspected: Json) -> list[str]:
    """Return a container's own addresses."""
    networks = inspected["NetworkSettings"]["Networks"].values()
    return [network["IPAddress"] for network in networks if network["IPAddress"]]


def reach_from(inspected: Json, wanted: Sequence[tuple[str, int]]) -> list[str]:
    """Say what answers from inside a container's network namespace (root)."""
    pid = inspected["State"]["Pid"]
    said = run(
        "nsenter",
        f"--net=/proc/{pid}/ns/net",
        sys.executable,
        "-I",
        str(REACH),
        json.dumps(wanted),
        seconds=60,
    )
    answers: list[str] = json.loads(said)
    return answers


def run(*command: str, seconds: float = 120) -> str:
    """Run a command; returns what it says, AssertionError when it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, env=_environment()
    )
    assert done.returncode == 0, f"{' '.join(command[:4])}: {done.stdout[-1000:]} {done.stderr[-2000:]}"
    return done.stdout.strip()


def _environment() -> Mapping[str, str]:
    # What a developer has set for a deployment of their own is none of this one's.
    foreign = ("DRYRUN", "COMPOSE_", "DELIVERY_", "DOCKER_GID", "TECNATIVA_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@contextmanager
def prepared(
    folder: Path,
    *,
    dryrun: bool = True,
    files: tuple[str, ...] = ("compose.yaml",),
    options: tuple[str, ...] = (),
) -> Iterator[Deployment]:
    """Write what compose needs; at the end everything is taken down, volumes included.

    `options` are of deploy/prepare.
    """
    token = secrets.token_hex(2)
    (port,) = free_ports(0)
    deployment = Deployment(f"dt-deploy-{token}", folder / "state", folder / "env", port, files)
    prefix = f"10.212.{int(token[:2], 16)}"
    kind = "with-dryrun" if dryrun else "without-dryrun"
    deployment.prepare("--prefix", prefix, *options, kind)
    with deployment.env_file.open("a", encoding="utf-8") as file:
        file.write(f"DRYRUN_BRIDGES_SUFFIX={token}\nDRYRUN_PUBLISH=127.0.0.1:{port}\n")
        file.write(f"DRYRUN_SUBNET_POOL={SUBNET_POOL}\n")
    config = deployment.state / "config" / "guard-policy.json"
    if dryrun:
        policy = json.loads(config.read_text())
        policy |= {"subnet_pool": SUBNET_POOL, "sessions": 100, "containers": 2000}
        config.chmod(0o644)
        config.write_text(json.dumps(policy), encoding="utf-8")
    try:
        yield deployment
    finally:
        deployment.compose("down", "--volumes", "--timeout=20", seconds=180)


def wait_for(condition: Any, seconds: float, what: str) -> Any:
    """Ask until the answer is true; returns it. AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.3)
    return answer
