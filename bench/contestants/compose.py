"""`docker compose up --wait` and `down -t 0` on a template, with what the allowlist grants its images."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

_SECONDS = 180


def bring_up_and_remove(template: Path, allowlist: Path) -> tuple[float, float]:
    """Return the seconds until every service is healthy, and those until nothing is left."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as extra:
        extra.write(override(template, allowlist))
        extra.flush()
        command = ["docker", "compose", "-p", f"bench-{os.getpid()}", "-f", str(template), "-f", extra.name]
        begin = time.monotonic()
        try:
            _run([*command, "up", "--wait", "--detach", "--pull", "never"])
            up = time.monotonic() - begin
        finally:
            begin = time.monotonic()
            _run([*command, "down", "-t", "0"])
        return up, time.monotonic() - begin


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)


def override(template: Path, allowlist: Path) -> str:
    """Return a Compose file that grants what a session grants: sized tmpfs, limits, isolation."""
    images = json.loads(allowlist.read_text())["images"]
    services = yaml.safe_load(template.read_text())["services"]
    return json.dumps(
        {
            "services": {name: _grants(images[each["image"]]) for name, each in services.items()},
            "networks": {"default": {"internal": True}},
        }
    )


def _grants(image: dict[str, Any]) -> dict[str, Any]:
    mounts = [
        f"{path}:size={tmpfs['size']},mode={tmpfs['mode']},uid={tmpfs['uid']},gid={tmpfs['gid']}"
        for path, tmpfs in image["tmpfs"].items()
    ]
    return {
        "tmpfs": mounts,
        "read_only": image["read_only"],
        "mem_limit": "512m",
        "cpus": 0.5,
        "cap_drop": ["ALL"],
        "cap_add": list(image.get("capabilities", [])),
        "security_opt": ["no-new-privileges:true"],
    }
