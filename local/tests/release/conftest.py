"""A checkout of its own for each test: this project's distributions with a changelog section, committed."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from local_stack import ROOT

from dryrun_local.release.source import members

CHANGELOG = """\
# Changelog

## Unreleased

- Later.

## 0.1.0 - 2026-11-26

### Added

- Everything.

## 0.0.1
"""
FILES = (".gitignore", "pyproject.toml", "LICENSE", "NOTICE", "deploy/compose.yaml")
FOLDERS = ("deploy/images", "images", "requirements", "setup")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "tests")


@pytest.fixture
def git(tmp_path) -> Callable[..., str]:
    """Runs git in the checkout and returns its output."""

    def run(*arguments: str) -> str:
        author = ("-c", "user.name=Releaser", "-c", "user.email=releaser@example.com")
        command = ("git", "-C", str(tmp_path / "checkout"), *author, *arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return run


@pytest.fixture
def checkout(tmp_path, git) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    for name in (*FOLDERS, *members(ROOT)):
        shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=LEFT_OUT)
    for name in FILES:
        shutil.copy(ROOT / name, root / name)
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Prepare 0.1.0")
    return root
