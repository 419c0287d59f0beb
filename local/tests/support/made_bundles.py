"""Installations with and without a network, their bundles, and what changes of one on its way."""

import asyncio
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

from dryrun_local.images.archive import written_archive
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import moving
from dryrun_local.terminal.screen import Screen

IMAGE = f"discovery/test-stand-in:{'a' * 16}"
SCANNER = "discovery/test-collector-plain:1.0"
MANIFEST = f"""\
name: plain
image: {SCANNER}
summary: Finds hosts.
provides: [host]
timeout_seconds: 60
arguments: ["{{cidr}}"]
"""
ALLOWED = {SCANNER: {"id": f"sha256:{'5' * 64}", "arguments": [["{cidr}"]]}}
BASE = f"{'the files of the base':257}ustar"
LAYER = f"{'the files of a stand-in':257}ustar"


def in_folder(path: Path, state: str = "../state") -> Installation:
    made = Installation(path / "root", path / "root" / state)
    made.root.mkdir(parents=True)
    (made.root / "templates").mkdir(parents=True)
    made.manifests.mkdir(parents=True)
    (made.manifests / "plain.yml").write_text(MANIFEST)
    made.prepare()
    made.allowlist.write_text(json.dumps({"version": 1, "images": ALLOWED}))
    return made


def image_in(docker: Path) -> str:
    """Put the stand-in into the fake engine; return its id."""
    fake = run_path(str(docker / "docker"))
    config = json.dumps(
        {
            "config": {"Labels": {}, "Volumes": None},
            "rootfs": {"diff_ids": [fake["sha256"](each.encode()) for each in (BASE, LAYER)]},
        }
    )
    with fake["Images"]() as images:
        fake["register"](images, IMAGE, config, [BASE, LAYER])
        return str(images[IMAGE]["Id"])


def take(installation: Installation, path: Path, sha256: str | None = None) -> None:
    asyncio.run(moving.import_bundle(installation, Screen(), path, sha256=sha256))


def nothing_happened(installation: Installation, docker: Path) -> bool:
    calls = (docker / "calls").read_text() if (docker / "calls").exists() else ""
    unpinned = json.loads(installation.allowlist.read_text())["images"] == ALLOWED
    return unpinned and not list(installation.replicas.glob("*/replica.json")) and '["load"' not in calls


def changed(path: Path, change: Callable[[Any, dict[str, bytes]], None]) -> Path:
    with tarfile.open(path) as tar:
        files = {member.name: file.read() for member in tar if (file := tar.extractfile(member)) is not None}
    about = json.loads(files.pop("index.json"))["about"]
    change(about, files)
    path.unlink()
    with written_archive(path, "network") as writer:
        writer.about = about
        for name, content in files.items():
            writer.add(name, io.BytesIO(content), len(content))
    return path


def change_row(files: dict[str, bytes], **changes: Any) -> None:
    rows = json.loads(files["allowlist.json"])
    rows["images"][IMAGE].update(changes)
    files["allowlist.json"] = json.dumps(rows).encode()
