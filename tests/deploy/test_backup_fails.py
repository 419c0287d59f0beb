"""What deploy/backup says when it writes nothing; `docker` is a stand-in that fails as Compose does."""

import os
import subprocess
from pathlib import Path

import pytest
from deployment import DEPLOY


@pytest.mark.parametrize(("folder", "reason"), [(".", "service is not running"), ("missing", "No such file")])
def test_a_backup_that_fails_says_what_it_needs_and_leaves_an_earlier_file(
    tmp_path: Path, folder: str, reason: str
):
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho partly\necho service is not running >&2\nexit 1\n", encoding="utf-8")
    docker.chmod(0o755)
    file = tmp_path / folder / "a backup"
    if folder == ".":
        file.write_text("earlier")
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [DEPLOY / "backup", file],
        env=os.environ | path,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert reason in done.stderr
    assert f"backup: {file} was not written" in done.stderr
    assert "docker compose up -d --wait postgres" in done.stderr
    assert [each.name for each in tmp_path.iterdir() if "backup" in each.name] == ["a backup"] * (
        folder == "."
    )
    assert folder != "." or file.read_text() == "earlier"
