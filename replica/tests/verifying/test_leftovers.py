import asyncio
from pathlib import Path

import pytest

from dryrun_replica.verifying.container import LABEL, VerificationError, remove_leftovers, running

DOCKER = """#!/bin/sh
echo "$@" >> "$DOCKER_LOG"
case "$*" in
    "ps --all --quiet --no-trunc --filter=label={label}=/my state") echo c1; echo c2 ;;
    "network ls --quiet --no-trunc --filter=label={label}=/my state") echo n1 ;;
    run*) echo "cannot start" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "docker"
    program.write_text(DOCKER.replace("{label}", LABEL))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def test_what_a_killed_verification_left_is_removed_and_nothing_else(asked: Path) -> None:
    assert asyncio.run(remove_leftovers("/my state")) == 3
    changes = [line for line in asked.read_text().splitlines() if " rm" in line or line.startswith("rm")]
    assert changes == ["rm --force --volumes c1", "rm --force --volumes c2", "network rm n1"]
    assert asyncio.run(remove_leftovers("/my")) == 0


def test_without_an_owner_nothing_is_removed(asked: Path) -> None:
    with pytest.raises(ValueError, match="nobody"):
        asyncio.run(remove_leftovers(""))
    assert not asked.exists()


def test_everything_is_labelled_with_its_owner_when_it_is_made(asked: Path) -> None:
    row = {"id": "sha256:" + "a" * 64, "ground_truth": []}

    async def start() -> None:
        async with running(row, "/my state"):
            pass

    with pytest.raises(VerificationError, match="cannot start"):
        asyncio.run(start())
    made = [line for line in asked.read_text().splitlines() if line.startswith(("run", "network create"))]
    assert len(made) == 2
    assert all(f"--label={LABEL}=/my state" in line for line in made)
