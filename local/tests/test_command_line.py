import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dryrun_local.command_line import run_work
from dryrun_local.main import app


@pytest.mark.parametrize(
    "command",
    [
        ("images", "list"),
        ("images", "list", "--json"),
        ("images", "export", "FILE"),
        ("images", "import", "FILE"),
        ("collector", "command", "NAME", "--rehearsed", "FILE", "--targets", "192.0.2.0/24"),
        ("check",),
    ],
)
def test_a_folder_to_add_that_is_not_there_is_named_by_every_command(command, tmp_path, monkeypatch):
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path / "state"))
    done = CliRunner().invoke(app, [*command, "--add", str(tmp_path / "nowhere")])
    assert done.exit_code == 1, done.output
    assert f"{tmp_path / 'nowhere'} does not exist; --add takes a folder that has one of" in done.output


@pytest.mark.parametrize(
    "command", [("doctor",), ("doctor", "--json"), ("check",), ("network", "list"), ("reset",)]
)
def test_a_state_that_cannot_be_used_is_said_in_a_sentence_by_every_command(command, tmp_path, monkeypatch):
    (tmp_path / "state").touch()
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path / "state"))
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    assert f"{tmp_path / 'state'} is not a folder, but the state of local runs belongs there" in done.output


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_host_does_not_stand_for_the_engine_of_this_machine(empty, tmp_path, monkeypatch):
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path / "state"))
    done = CliRunner().invoke(app, ["images", "distribute", "ssh://beta", empty])
    assert done.exit_code == 2, done.output
    assert "an empty one names no engine" in done.output
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_full_disk_is_named_with_what_to_do(capsys, at_once):
    async def write():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere/added.json")

    async def work(_):
        if at_once:
            async with asyncio.TaskGroup() as group:
                group.create_task(write())
        await write()

    with pytest.raises(typer.Exit) as ended:
        run_work(work)
    assert ended.value.exit_code == 1
    said = "no space left on the disk for /somewhere/added.json; free some, and repeat the command"
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [["--help"], ["images", "list", "--help"], ["check"]])
def test_output_that_cannot_be_written_ends_with_a_sentence(arguments, tmp_path):
    command = [sys.executable, "-c", "from dryrun_local.main import main; main()", *arguments]
    with Path("/dev/full").open("wb") as full:
        found = subprocess.run(
            command,
            env={**os.environ, "DRYRUN_LOCAL_STATE": str(tmp_path / "state")},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "error: the output cannot be written: No space left on device\n"
    assert (found.returncode, found.stderr) == (2, said)


def test_a_reader_of_the_output_who_is_gone_is_141(tmp_path):
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    found = subprocess.run(
        [sys.executable, "-c", "from dryrun_local.main import main; main()", "check"],
        env={**os.environ, "DRYRUN_LOCAL_STATE": str(tmp_path / "state")},
        stdout=writing_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing_end)
    assert (found.returncode, found.stderr) == (141, "")
