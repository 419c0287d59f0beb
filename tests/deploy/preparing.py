"""Runs of deploy/prepare in a folder of a test's own, and what Compose makes of it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from deployment import DEPLOY

FOREIGN = (
    "DRYRUN",
    "COMPOSE_",
    "DELIVERY_",
    "APPROVAL_",
    "ORCHESTRATOR_",
    "FLEET_",
    "TECNATIVA_",
    "DOCKER_GID",
)
"""What a developer has set for a deployment of their own."""


def prepare(place: Path, *arguments: str) -> str:
    """Run it, which has to succeed; return what it warns of."""
    done = prepared(place, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr


def prepared(place: Path, *arguments: str, **shell: str) -> "subprocess.CompletedProcess[str]":
    """Run it with these variables in its shell; return how it ended."""
    return subprocess.run(
        [DEPLOY / "prepare", "--state", place / "state", "--env", place / "env", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=own_environment() | shell,
    )


def own_environment() -> dict[str, str]:
    """Return this environment without what a deployment reads."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def composed(place: Path) -> dict[str, Any]:
    """Return the services that Compose would run."""
    services: dict[str, Any] = configured(place)["services"]
    return services


def configured(place: Path, *files: str) -> dict[str, Any]:
    """Return what Compose makes of its file and these on top of it."""
    named = [part for file in ("compose.yaml", *files) for part in ("--file", DEPLOY / file)]
    done = subprocess.run(
        ["docker", "compose", "--env-file", place / "env", *named, "config", "--format=json"],
        check=True, capture_output=True, text=True, timeout=60,
        env=own_environment(),
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found
