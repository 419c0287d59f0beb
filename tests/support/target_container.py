"""Starts targets by the docker CLI under the limits of a session, without any of the orchestrator's code."""

import atexit
import contextlib
import functools
import ipaddress
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from engine_socket import ENGINE_SOCKET, EngineSocket

from docker_guard.rules.system_calls import narrow_profile

REPOSITORY = Path(__file__).resolve().parents[2]
ALLOWLIST = REPOSITORY / ".dryrun" / "allowlist.json"
LABEL = "discovery.test.targets"
# libyaml's loader is as safe, and each process that collects tests reads some hundred files.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_POOL = ipaddress.ip_network("10.214.0.0/16")
"""Beside the pool of sessions, so that both can run at once."""


def docker(*arguments: str, text: str = "", check: bool = True, seconds: float = 60) -> str:
    """Run the docker CLI and return its output. Raises AssertionError with its complaint."""
    done = subprocess.run(
        ["docker", *arguments], input=text, capture_output=True, text=True, timeout=seconds, check=False
    )
    if check and done.returncode:
        raise AssertionError(
            f"docker {' '.join(arguments[:4])} …: exit code {done.returncode}: {done.stderr}"
        )
    return done.stdout


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file of ours as plain YAML."""
    content: dict[str, Any] = yaml.load(path.read_bytes(), Loader=_LOADER)
    return content


def template(template_id: str) -> dict[str, Any]:
    """Read a template as plain YAML."""
    return read_yaml(REPOSITORY / "templates" / f"{template_id}.yml")


def allowed(image: str) -> Mapping[str, Any]:
    """Return what the allowlist says of `image`."""
    assert ALLOWLIST.is_file(), f"{ALLOWLIST} is missing; `dryrun-local images build` writes it"
    images = json.loads(ALLOWLIST.read_text())["images"]
    assert image in images, f"{image} is not in {ALLOWLIST}; `dryrun-local images build` builds it"
    entry: Mapping[str, Any] = images[image]
    return entry


@dataclass(frozen=True)
class TargetContainer:
    """One running target."""

    id: str

    def inspect(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", self.id))[0]
        return found

    def execute(
        self, *command: str, text: str = "", check: bool = True, env: Mapping[str, str] | None = None
    ) -> str:
        """Run `command` inside, as the image's own user, and return its output."""
        variables = [f"--env={key}={value}" for key, value in (env or {}).items()]
        return docker("exec", "-i", *variables, self.id, *command, text=text, check=check)

    def execute_bytes(self, *command: str, seconds: float = 60) -> bytes:
        """Run `command` inside and return what it wrote, whether it is text or not, and however it ended."""
        done = subprocess.run(
            ["docker", "exec", self.id, *command], capture_output=True, timeout=seconds, check=False
        )
        return done.stdout

    def wait_until_healthy(self, seconds: float = 60) -> None:
        """Return once the engine calls it healthy. Raises AssertionError with its log."""
        deadline = time.monotonic() + seconds
        # Asked again and again, the CLI would take a fifth of a processor.
        socket = os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or ENGINE_SOCKET
        with contextlib.closing(EngineSocket(socket)) as engine:
            while True:
                state = engine.get(f"/containers/{self.id}/json")["State"]
                if state["Health"]["Status"] == "healthy":
                    return
                if not state["Running"] or time.monotonic() > deadline:
                    break
                time.sleep(0.1)
        log = subprocess.run(["docker", "logs", self.id], capture_output=True, text=True, check=False)
        raise AssertionError(f"not healthy after {seconds} s: {state}\n{log.stdout}\n{log.stderr}")


def run_options(entry: Mapping[str, Any]) -> list[str]:
    """Return the options of `docker run` that bind every container of a session."""
    options = ["--cap-drop=ALL", "--security-opt=no-new-privileges", f"--security-opt=seccomp={_profile()}"]
    options += ["--memory=512m", "--memory-swap=512m", "--ulimit=msgqueue=0", "--ulimit=sigpending=1024"]
    options += ["--cpus=0.5", "--pids-limit=100", f"--label={LABEL}", "--log-opt=max-size=10m"]
    options += [f"--cap-add={capability}" for capability in entry["capabilities"]]
    if entry["read_only"]:
        options.append("--read-only")
    for path, place in entry["tmpfs"].items():
        owner = f"uid={place['uid']},gid={place['gid']},mode={place['mode']}"
        options += ["--tmpfs", f"{path}:rw,noexec,nosuid,nodev,size={place['size']},{owner}"]
    return options


@functools.cache
def _profile() -> str:
    """Return the path of a file with the seccomp profile that `make up` has the guard set."""
    file = tempfile.NamedTemporaryFile("w", prefix="narrow-", suffix=".json", delete=False)  # noqa: SIM115
    with file:
        file.write(narrow_profile())
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


@contextlib.contextmanager
def internal_network() -> Iterator[str]:
    """Make a network as sessions have it, internal and without the host's address, and remove it."""
    subnets = list(_POOL.subnets(new_prefix=27))
    for attempt in range(5):
        subnet = random.choice(subnets)
        name = f"targets-{subnet.network_address}"
        options = ["--internal", f"--subnet={subnet}", f"--label={LABEL}"]
        options += ["--opt=com.docker.network.bridge.inhibit_ipv4=true"]
        try:
            docker("network", "create", *options, name)
            break
        except AssertionError:
            if attempt == 4:
                raise
    try:
        yield name
    finally:
        docker("network", "rm", name)


@contextlib.contextmanager
def running(
    image: str, network: str, *, environment: Mapping[str, str] | None = None, aliases: Iterable[str] = ()
) -> Iterator[TargetContainer]:
    """Start `image` by its pinned ID and remove it in the end."""
    entry = allowed(image)
    options = [*run_options(entry), *(f"--network-alias={alias}" for alias in aliases)]
    options += [f"--env={name}={value}" for name, value in (environment or {}).items()]
    container = TargetContainer(docker("create", f"--network={network}", *options, entry["id"]).strip())
    try:
        docker("start", container.id)
        yield container
    finally:
        docker("rm", "--force", "--volumes", container.id)
