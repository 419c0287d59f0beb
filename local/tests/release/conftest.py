"""A checkout of its own for each test: this project's distributions with a changelog section, committed."""

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
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
FILES = (
    *(".gitignore", "pyproject.toml", "LICENSE", "NOTICE", "deploy/compose.yaml"),
    *("deploy/fleet/compose.host.yaml", "docs/fleet.md", "tests/deploy/test_reach.py"),
)
FOLDERS = ("deploy/images", "images", "requirements", "setup")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "tests")


def run_git(root: Path, *arguments: str) -> str:
    author = ("-c", "user.name=Releaser", "-c", "user.email=releaser@example.com")
    command = ("git", "-C", str(root), *author, *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def committed(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("releasable")
    for name in (*FOLDERS, *members(ROOT)):
        shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=LEFT_OUT)
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    run_git(root, "init", "--quiet")
    run_git(root, "add", "--all")
    run_git(root, "commit", "--quiet", "--message", "Prepare 0.1.0")
    return root


@pytest.fixture
def checkout(committed, tmp_path) -> Path:
    return shutil.copytree(committed, tmp_path / "checkout", symlinks=True)


@pytest.fixture
def git(checkout) -> Callable[..., str]:
    """Runs git in the checkout and returns its output."""
    return partial(run_git, checkout)
