import os
import shlex
import stat
from pathlib import Path

import pytest

from dryrun_local.machine.errors import StateFolderError
from dryrun_local.machine.files import write_private
from dryrun_local.machine.installation import Installation, from_here, require_own


@pytest.fixture
def installation(tmp_path) -> Installation:
    return Installation(tmp_path, tmp_path / "state")


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_this_user_may_read_the_state(installation):
    installation.prepare()
    assert mode(installation.state) == 0o700


def test_a_secret_is_made_once_and_is_readable_to_this_user_only(installation):
    installation.prepare()
    first = installation.secret("api-token")
    token = first.read_text()
    assert len(token.strip()) >= 40
    assert mode(first) == 0o600
    assert installation.secret("api-token").read_text() == token
    assert installation.secret("orchestrator-token").read_text() != token


@pytest.mark.parametrize("make", [lambda found: found.secret("api-token"), Installation.report_key])
def test_a_secret_that_is_empty_is_made_again(installation, make):
    installation.prepare()
    path = make(installation)
    path.write_bytes(b"")
    assert len(make(installation).read_text().strip()) >= 40
    assert mode(path) == 0o600


def test_a_private_file_is_never_readable_to_others(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_state_can_be_in_another_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path / "deep" / "state"))
    installation = Installation.here()
    installation.prepare()
    assert installation.state == tmp_path / "deep" / "state"
    assert (installation.root / "pyproject.toml").exists()


def test_the_state_of_a_deployment_is_not_taken_for_that_of_local_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("DRYRUN_STATE", str(tmp_path))
    with pytest.raises(
        StateFolderError, match=r"unset it here, or name .*: export DRYRUN_LOCAL_STATE=/.*/\.dryrun"
    ):
        Installation.here()
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path / "own"))
    assert Installation.here().state == tmp_path / "own"


def test_a_path_is_relative_only_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert from_here(tmp_path / "state" / "report.html") == "state/report.html"
    assert from_here(tmp_path.parent / "report.html") == str(tmp_path.parent / "report.html")


def test_a_state_that_is_no_folder_is_named_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to("nowhere")
    for name in ("file", "gone"):
        with pytest.raises(StateFolderError, match=f"{name} is not a folder, .* by DRYRUN_LOCAL_STATE"):
            require_own(tmp_path / name)
    require_own(tmp_path / "not yet there")


def test_a_state_that_another_user_has_written_into_is_named_with_what_to_do(tmp_path):
    (tmp_path / "logs").mkdir()
    other = os.geteuid() + 1
    with pytest.raises(StateFolderError, match=f"{tmp_path} belongs .*; .*: sudo chown --recursive {other} "):
        require_own(tmp_path, other)
    require_own(tmp_path)
    require_own(tmp_path, 0)


def test_what_gives_a_state_to_this_user_can_be_pasted_and_reaches_all_of_a_linked_one(tmp_path):
    there, linked = tmp_path / "a state; of mine", tmp_path / "linked"
    there.mkdir()
    linked.symlink_to(there)
    with pytest.raises(StateFolderError) as refused:
        require_own(linked, os.geteuid() + 1)
    command = str(refused.value).partition("sudo chown")[2].partition(", or name another folder by ")[0]
    assert shlex.split(command) == ["--recursive", str(os.geteuid() + 1), str(there)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("name", ["lock", "logs", "logs/guard.log"])
def test_one_file_of_another_user_is_named(tmp_path, name):
    (tmp_path / "logs").mkdir()
    for file in ("lock", "logs/guard.log"):
        (tmp_path / file).touch()
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 12345, -1)
    require_own(tmp_path, 12345)
    os.chown(tmp_path / name, 0, -1)
    with pytest.raises(StateFolderError, match=f"^{tmp_path / name} belongs to another user"):
        require_own(tmp_path, 12345)


def test_a_file_that_is_removed_meanwhile_is_nobodys(tmp_path, monkeypatch):
    journal = tmp_path / "orchestrator" / "journal.sqlite-wal"
    journal.parent.mkdir()
    journal.touch()
    user = os.geteuid() or 12345
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, user, -1)
    listed = Path.glob

    def and_removed(folder, pattern):
        found = list(listed(folder, pattern))
        if journal in found:
            journal.unlink()
        return found

    monkeypatch.setattr(Path, "glob", and_removed)
    require_own(tmp_path, user)
    assert not journal.exists()
