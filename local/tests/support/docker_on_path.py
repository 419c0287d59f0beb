"""A `docker` in front of every other program, which keeps its images in a file."""

import sys
from pathlib import Path

import pytest

_FAKE = Path(__file__).with_name("fake_docker.py")


def docker_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the fake into a new folder, first on the path; return the folder."""
    folder.mkdir()
    program = folder / "docker"
    program.write_text(f"#!{sys.executable} -ISs\n{_FAKE.read_text()}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder
