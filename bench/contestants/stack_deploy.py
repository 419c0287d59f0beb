"""`docker stack deploy` and `rm` of a template, with what a service can be given of a session's limits."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml

_SECONDS = 240
_LOOK_SECONDS = 0.1
_OPEN_TO_ALL = ("/run", "/var/log")
"""Below these a program minds no directory that others may write to."""


def bring_up_and_remove(docker_host: str, template: Path, allowlist: Path) -> tuple[float, float]:
    """Return the seconds until every service has a healthy container, and those until none is left.

    `docker_host` is a manager's engine. Services restart what ends, so dependencies need no order.
    """
    docker = ["docker", "--host", docker_host]
    begin = time.monotonic()
    _run(
        [*docker, "stack", "deploy", "--resolve-image=never", "-c", "-", "bench"], stack(template, allowlist)
    )
    try:
        _until(lambda: _replicas(docker), lambda found: bool(found) and set(found) == {"1/1"})
        up = time.monotonic() - begin
    finally:
        begin = time.monotonic()
        _run([*docker, "stack", "rm", "bench"])
        # The command returns before the containers are gone; the network goes last.
        _until(lambda: _networks(docker), lambda found: not found)
    return up, time.monotonic() - begin


def stack(template: Path, allowlist: Path) -> str:
    """Return a stack file of a template's services.

    A service of Swarm takes no owner of a tmpfs, no `no-new-privileges` and no fixed address. What has to own
    its data writes to its root file system.
    """
    images = json.loads(allowlist.read_text())["images"]
    services = yaml.safe_load(template.read_text())["services"]
    return json.dumps(
        {
            "version": "3.9",
            "services": {
                name: _service(each["image"], images[each["image"]], each.get("environment"))
                for name, each in services.items()
            },
            "networks": {"default": {"driver": "overlay", "internal": True, "attachable": True}},
        }
    )


def _service(name: str, image: dict[str, Any], environment: Any) -> dict[str, Any]:
    mounts = [
        {"type": "tmpfs", "target": path, "tmpfs": {"size": tmpfs["size"], "mode": 0o1777}}
        for path, tmpfs in image["tmpfs"].items()
        if path.startswith(_OPEN_TO_ALL)
    ]
    return {
        "image": name,
        "environment": environment or {},
        "volumes": mounts,
        "cap_drop": ["ALL"],
        "cap_add": list(image.get("capabilities", [])),
        "stop_grace_period": "0s",
        "deploy": {
            "resources": {"limits": {"cpus": "0.5", "memory": "512M", "pids": 100}},
            "restart_policy": {"condition": "any", "delay": "200ms"},
        },
    }


def _replicas(docker: list[str]) -> list[str]:
    return _run([*docker, "stack", "services", "--format", "{{.Replicas}}", "bench"]).split()


def _networks(docker: list[str]) -> list[str]:
    return _run([*docker, "network", "ls", "--quiet", "--filter", "name=bench_default"]).split()


def _until(look: Any, is_enough: Any) -> None:
    end = time.monotonic() + _SECONDS
    while not is_enough(found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"after {_SECONDS} s: {found}")
        time.sleep(_LOOK_SECONDS)


def _run(command: list[str], sent: str | None = None) -> str:
    done = subprocess.run(command, input=sent, check=False, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[3:6])}: {done.stderr.strip()[-500:]}")
    return done.stdout
