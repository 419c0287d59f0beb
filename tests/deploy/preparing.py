"""Runs of deploy/prepare in a folder of a test's own, and what Compose makes of it.

A run is a fork of a process that has imported the program: imports take most of its 0.6 s of processor time.
Tests of signals, of units and of a whole deployment start it as an operator does.
"""

import asyncio
import atexit
import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from deployment import DEPLOY
from forked_services import Forge

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
    """Run it, which must not refuse; return what it warns of, for which the start waits but for hints."""
    done = prepared(place, *arguments)
    waits = [line for line in done.stderr.splitlines() if not line.startswith("prepare: hint: ")]
    assert done.returncode == (3 if waits else 0), done.stderr
    return done.stderr


def prepared(place: Path, *arguments: str, **shell: str) -> "subprocess.CompletedProcess[str]":
    """Run it with these variables in its shell; return how it ended."""
    command = [DEPLOY / "preparation", "--state", place / "state", "--env", place / "env", *arguments]
    words = [*map(str, command)]
    # Whatever a developer runs under the default name on this engine is not asked.
    shell = {"DOCKER_HOST": "unix:///nonexistent"} | shell
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        streams = (0, output.fileno(), errors.fileno())
        process = _forge().start(words, own_environment() | shell, Path.cwd(), streams)
        try:
            code = asyncio.run(asyncio.wait_for(process.wait(), 60))
        finally:
            process.kill()
        texts = [(file.seek(0), file.read())[1] for file in (output, errors)]
    return subprocess.CompletedProcess(words, code, *texts)


@cache
def _forge() -> Forge:
    forge = Forge(("forged_preparation",), Path(__file__).parent)
    atexit.register(forge.close)
    return forge


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
