"""Wheels of the workspace's distributions, built offline by the pinned backend."""

import hashlib
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from dryrun_local.images.programs import run
from dryrun_local.release.source import members

_BACKEND = Path(sys.prefix) / "bin" / "uv-build"
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Wheel:
    """A distribution as it is released. `sha256` in hex."""

    distribution: str
    version: str
    file: str
    sha256: str


async def build_wheels(tree: Path, target: Path, log: Path) -> dict[str, Wheel]:
    """Build the wheel of every member of the workspace into `target`; return them by the member's folder.

    uv-build stamps every file with 1980-01-01 and fixed rights, so a wheel's bytes follow from its sources.
    Raises ProgramError with the end of the log.
    """
    wheels = {}
    for folder in members(tree):
        await run([str(_BACKEND), "build-wheel", str(target)], log, seconds=_SECONDS, cwd=tree / folder)
        wheels[folder] = _built(tree / folder, target)
    return wheels


def _built(folder: Path, target: Path) -> Wheel:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stem = re.sub(r"[-_.]+", "_", project["name"]).lower()
    file = target / f"{stem}-{project['version']}-py3-none-any.whl"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Wheel(project["name"], project["version"], file.name, digest)
