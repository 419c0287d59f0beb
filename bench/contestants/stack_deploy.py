"""`docker stack deploy` and `rm` of a template, with what a service can be given of a session's limits."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml

_SECONDS = 240
_LOOK_SECONDS = 0.1


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
    """Return a stack file of a template's services, which no engine pulls an image for.

    A service of Swarm takes no owner or mode of a tmpfs, so each is a volume of the local driver. It takes no
    fixed address, and no `no-new-privileges` either.
    """
    images = json.loads(allowlist.read_text())["images"]
    services = yaml.safe_load(template.read_text())["services"]
    volumes = {
        f"{service}-{number}": _volume(tmpfs)
        for service, each in services.items()
        for number, tmpfs in enumerate(images[each["image"]]["tmpfs"].values())
    }
    return json.dumps(
        {
            "version": "3.9",
            "services": {
                name: _service(name, images[each["image"]], each.get("environment"))
                for name, each in services.items()
            },
            "volumes": volumes,
            "networks": {"default": {"driver": "overlay", "internal": True, "attachable": True}},
        }
    )


def _volume(tmpfs: dict[str, Any]) -> dict[str, Any]:
    options = ",".join(f"{key}={tmpfs[key]}" for key in ("size", "uid", "gid", "mode"))
    return {"driver": "local", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": options}}


def _service(name: str, image: dict[str, Any], environment: Any) -> dict[str, Any]:
    return {
        "image": image["id"],
        "environment": environment or {},
        "read_only": image["read_only"],
        "volumes": [
            {
                "type": "volume",
                "source": f"{name}-{number}",
                "target": path,
                # A tmpfs begins empty.
                "volume": {"nocopy": True},
            }
            for number, path in enumerate(image["tmpfs"])
        ],
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
