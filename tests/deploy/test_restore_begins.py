"""What deploy/restore does before it stops anything; `docker` is a stand-in that notes its calls."""

import fcntl
import os
import socket
import subprocess
from pathlib import Path

import pytest
from deployment import DEPLOY

RESTORE = DEPLOY / "restore"
DOCKER = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
    *" ps "*--all) printf 'approval-api\napproval-delivery\npostgres\n' ;;
    *" ps "*) printf "$RUNNING"; exit "$PS_STATUS" ;;
    *" exec "*--tuples-only*) wc -l <"$CALLS" ;;
    *" pg_restore "*--file=-) cat >"$CALLS.restored" ;;
    *" exec "* | *" run "*) cat >/dev/null ;;
esac
"""
"""Reads its input as Compose does; each question for the schema has another answer, as after a restore."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    backup = tmp_path / "a backup"
    backup.write_bytes(b"PGDMP")
    own = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), "PS_STATUS": "0"}
    own["RUNNING"] = "approval-api\npostgres\n"
    return os.environ | own | {"RESTORE": str(RESTORE), "BACKUP": str(backup)}


def shell(environment: dict[str, str], commands: str) -> "subprocess.CompletedProcess[str]":
    """Give a shell its commands on standard input, as `ssh HOST bash` does."""
    return subprocess.run(
        ["bash"], input=commands, env=environment, capture_output=True, text=True, timeout=20, check=False
    )


def test_a_file_that_cannot_be_opened_is_named_with_the_reason(environment: dict[str, str], tmp_path: Path):
    said = shell(environment, '"$RESTORE" "$BACKUP.missing"')
    assert (said.returncode, said.stderr) == (
        1,
        f"restore: there is no file {tmp_path / 'a backup.missing'}\n",
    )
    assert not (tmp_path / "calls").exists()


def test_nothing_is_done_with_a_file_that_is_no_dump(environment: dict[str, str], tmp_path: Path):
    for content in (b"", b"PGDM\0P", b"-- PostgreSQL database dump\n"):
        (tmp_path / "a backup").write_bytes(content)
        said = shell(environment, '"$RESTORE" "$BACKUP"')
        assert said.returncode == 1
        assert "does not begin with PGDMP. Nothing was done" in said.stderr
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("given", ['"$BACKUP"', '<(cat "$BACKUP")'])
def test_a_backup_is_restored_whole_and_may_come_through_a_pipe(
    environment: dict[str, str], tmp_path: Path, given: str
):
    (tmp_path / "a backup").write_bytes(b"PGDMP\0" + bytes(range(256)) * 1000)
    said = shell(environment, f'"$RESTORE" {given}')
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "calls.restored").read_bytes() == (tmp_path / "a backup").read_bytes()


@pytest.mark.parametrize("given", ["/dev/null", "<(true)", "<(echo CREATE TABLE)"])
def test_nothing_is_done_with_a_device_or_a_pipe_that_is_no_dump(
    environment: dict[str, str], tmp_path: Path, given: str
):
    said = shell(environment, f'"$RESTORE" {given}')
    assert said.returncode == 1
    assert "does not begin with PGDMP. Nothing was done" in said.stderr
    assert not (tmp_path / "calls").exists()


def test_says_that_it_waits_for_who_writes_to_a_pipe(environment: dict[str, str], tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    command = [str(RESTORE), str(tmp_path / "pipe")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        assert f"waiting for what is written to {tmp_path / 'pipe'}" in waiting.stderr.readline()
        (tmp_path / "pipe").write_bytes(b"PGDMP")
        assert "is restored" in waiting.communicate(timeout=20)[1]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "socket"])
def test_no_backup_takes_the_place_of_what_is_no_file(environment: dict[str, str], tmp_path: Path, kind: str):
    place = tmp_path / "place"
    place.mkdir()
    there = place / "there"
    if kind == "folder":
        there.mkdir()
    elif kind == "pipe":
        os.mkfifo(there)
    elif kind == "link":
        there.symlink_to(tmp_path / "a backup")
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(there))
    before = (there.lstat(), set(place.iterdir()))
    said = shell(environment, f'"{DEPLOY}/backup" {there}')
    assert said.returncode == 1
    assert f"backup: {there} is not a file" in said.stderr
    assert (there.lstat(), set(place.iterdir())) == before
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("script", ["backup", "restore"])
@pytest.mark.parametrize(("arguments", "status"), [("--help", 0), ("-h", 0), ("", 2), ("--env-file x", 2)])
def test_prints_its_usage_and_touches_nothing(
    environment: dict[str, str], tmp_path: Path, script: str, arguments: str, status: int
):
    before = set(tmp_path.iterdir())
    said = shell(environment, f'cd "{tmp_path}" && "{DEPLOY / script}" {arguments}')
    assert said.returncode == status
    assert (said.stderr if status else said.stdout).startswith(f"usage: deploy/{script} FILE ")
    assert set(tmp_path.iterdir()) == before


def test_nothing_is_stopped_where_compose_cannot_say_what_runs(environment: dict[str, str], tmp_path: Path):
    said = shell(environment | {"PS_STATUS": "15"}, '"$RESTORE" "$BACKUP"')
    assert said.returncode == 1
    assert "nothing was done" in said.stderr
    assert " stop " not in (tmp_path / "calls").read_text()


@pytest.mark.parametrize(
    ("running", "started"),
    [
        ("approval-api\napproval-delivery\n", "approval-api approval-delivery"),
        ("postgres\n", "approval-api approval-delivery"),
        ("approval-api\n", "approval-api"),
    ],
    ids=["both run", "a restore that failed left both stopped", "somebody stopped deliveries"],
)
def test_it_starts_what_ran_and_what_a_restore_that_failed_left_stopped(
    environment: dict[str, str], tmp_path: Path, running: str, started: str
):
    said = shell(environment | {"RUNNING": running}, '"$RESTORE" "$BACKUP"')
    assert said.returncode == 0, said.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    *_, last = changes = [each for each in calls if " ps " not in each]
    assert last.endswith(f" up --detach --wait --no-deps --no-recreate {started}")
    assert sum(" up " in each for each in changes) == 1


def test_the_commands_after_a_restore_are_left_to_the_shell(environment: dict[str, str]):
    said = shell(environment, '"$RESTORE" "$BACKUP"\necho goes on\n')
    assert (said.returncode, said.stdout) == (0, "goes on\n"), said.stderr


def test_a_second_restore_waits_for_the_first(environment: dict[str, str], tmp_path: Path):
    with RESTORE.open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with subprocess.Popen(
            [str(RESTORE), environment["BACKUP"]], env=environment, stderr=subprocess.PIPE, text=True
        ) as second:
            assert second.stderr is not None
            assert "waiting" in second.stderr.readline()
            assert not (tmp_path / "calls").exists()
            fcntl.flock(first, fcntl.LOCK_UN)
            assert "is restored" in second.communicate(timeout=20)[1]
    assert " stop " in (tmp_path / "calls").read_text()


@pytest.mark.parametrize(
    ("running", "says"),
    [
        ("approval-api\napproval-delivery\npostgres\n", ""),
        ("approval-api\npostgres\n", "not running: approval-delivery. Unless that is meant, go on with"),
    ],
)
def test_names_what_does_not_run_after_a_restore(environment: dict[str, str], running: str, says: str):
    done = shell(environment | {"RUNNING": running}, '"$RESTORE" "$BACKUP"')
    assert (done.returncode, "is restored" in done.stderr) == (0, True)
    assert says in done.stderr
    assert ("not running" in done.stderr) == bool(says)
