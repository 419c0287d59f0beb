import asyncio

import pytest

from dryrun_local.images.programs import ProgramError, pipe, run_in_image

DOCKER = """#!/bin/sh
echo "$@" >> {calls}
[ "$1" = run ] || exit 0
touch {begun}
exec sleep {seconds}
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """Return a function that has `docker run` take so many seconds; calls go to a file."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def taking(seconds):
        program = tmp_path / "docker"
        program.write_text(DOCKER.format(calls=tmp_path / "calls", begun=tmp_path / "begun", seconds=seconds))
        program.chmod(0o755)
        return tmp_path

    return taking


def calls(folder):
    return [line.split() for line in (folder / "calls").read_text().splitlines()]


async def test_a_container_that_takes_too_long_is_removed(docker):
    folder = docker(30)
    with pytest.raises(ProgramError, match="docker run --rm did not end within"):
        await run_in_image("sha256:1", "sh", "true", seconds=0.5)
    run, removal = calls(folder)
    assert removal == ["rm", "--force", run[run.index("--name") + 1]]


async def test_a_container_whose_run_is_interrupted_is_removed(docker):
    folder = docker(30)
    running = asyncio.create_task(run_in_image("sha256:1", "sh", "true"))
    while not (folder / "begun").exists():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [call[0] for call in calls(folder)] == ["run", "rm"]


async def test_a_container_that_has_ended_is_not_asked_for_again(docker):
    folder = docker(0)
    assert await run_in_image("sha256:1", "sh", "echo 1", "--user=990") == (0, "", "")
    (run,) = calls(folder)
    assert run[-4:] == ["sha256:1", "-c", "echo", "1"]
    assert {"--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=990"} <= set(run)


@pytest.mark.parametrize(
    ("source", "sink"), [("cat /dev/zero", "exit 3"), ("exit 3", "cat >/dev/null"), ("exit 3", "exit 0")]
)
async def test_a_program_of_a_pipe_that_fails_ends_the_other_one(tmp_path, source, sink):
    with pytest.raises(ProgramError, match="failed with exit code"):
        await pipe(["sh", "-c", source], ["sh", "-c", sink], tmp_path / "log", seconds=30)
