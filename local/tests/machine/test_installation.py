import stat

import pytest

from dryrun_local.machine.files import write_private
from dryrun_local.machine.installation import Installation, from_here


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


def test_a_private_file_is_never_readable_to_others(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_state_can_be_in_another_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DRYRUN_STATE", str(tmp_path / "deep" / "state"))
    installation = Installation.here()
    installation.prepare()
    assert installation.state == tmp_path / "deep" / "state"
    assert (installation.root / "pyproject.toml").exists()


def test_a_path_is_relative_only_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert from_here(tmp_path / "state" / "report.html") == "state/report.html"
    assert from_here(tmp_path.parent / "report.html") == str(tmp_path.parent / "report.html")
