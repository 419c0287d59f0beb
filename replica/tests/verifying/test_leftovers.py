import asyncio
from pathlib import Path

import pytest

from dryrun_replica.verifying.container import LABEL, VerificationError, remove_leftovers, running

DOCKER = """#!/bin/sh
echo "$@" >> "$DOCKER_LOG"
case "$*" in
    "ps --all --quiet --no-trunc --filter=label={label}=/my state") echo c1; echo c2 ;;
    "network ls --quiet --no-trunc --filter=label={label}=/my state") echo n1 ;;
    rm*) sleep "${DOCKER_REMOVES:-0}"; echo "removed" >> "$DOCKER_LOG" ;;
    *-reader*) echo read ;;
    run*) [ -n "$DOCKER_STARTS" ] && echo c3 || { echo "cannot start" >&2; exit 1; } ;;
    inspect*) echo '{"Running": true, "Health": {"Status": "healthy"}}' ;;
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
    with pytest.raises(ValueError, match="the owner is empty"):
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


def test_no_program_of_an_image_runs_with_more_rights_than_a_readers(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_STARTS", "1")
    row = {"id": "sha256:" + "a" * 64, "capabilities": ["SETUID"], "ground_truth": []}

    async def ask() -> None:
        async with running(row, "/my state") as container:
            await container.ask("bash")
            assert await container.ask("bash", "-c", "id", root=True) == "read\n"

    asyncio.run(ask())
    lines = asked.read_text().splitlines()
    assert "--privileged" not in asked.read_text()
    stand_in, reader = (line.split() for line in lines if line.startswith("run"))
    granted = [[word for word in line if word.startswith("--cap-add")] for line in (stand_in, reader)]
    assert granted == [
        ["--cap-add=SETUID"],
        ["--cap-add=DAC_OVERRIDE", "--cap-add=NET_RAW", "--cap-add=SYS_PTRACE"],
    ]
    for options in (stand_in, reader):
        assert {"--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only"} <= {*options}
        assert f"--label={LABEL}=/my" in options
    assert {"--network=container:c3", "--pid=container:c3"} <= {*reader}
    name = next(word.removeprefix("--name=") for word in reader if word.startswith("--name="))
    assert any(line.startswith("rm ") and name in line.split() for line in lines)


@pytest.mark.parametrize("reads", [False, True])
def test_whoever_is_interrupted_more_than_once_still_removes_what_was_started(
    asked: Path, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setenv("DOCKER_STARTS", "1")
    monkeypatch.setenv("DOCKER_REMOVES", "0.4")

    async def verify() -> None:
        async with running({"id": "sha256:" + "a" * 64}, "/my state") as container:
            if reads:
                await container.ask("read", root=True)
            else:
                await asyncio.sleep(60)

    async def interrupted() -> None:
        task = asyncio.create_task(verify())
        async with asyncio.timeout(20):
            await _until_asked(asked, "\nrm " if reads else "inspect")
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0.1)
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(interrupted())
    said = asked.read_text().splitlines()
    assert said.count("removed") == len([line for line in said if line.startswith("rm ")]) == 1 + reads
    assert said[-1].startswith("network ls")


async def _until_asked(asked: Path, what: str) -> None:
    while what not in _log(asked):
        await asyncio.sleep(0.02)


def _log(asked: Path) -> str:
    return asked.read_text() if asked.exists() else ""
