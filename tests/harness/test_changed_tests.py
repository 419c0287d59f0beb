"""`make quick` runs the tests that concern a change."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import changed_tests
import pytest
from changed_tests import ROOT, concerned


def test_a_change_in_a_room_concerns_it_and_the_rooms_that_import_it():
    found = concerned(["approval/src/approval_api/trends/fact_history.py"])
    assert {"approval/tests/trends", "approval/tests/api", "approval/tests/pages"} <= set(found)
    assert "approval/tests/people" not in found
    assert "approval/tests/test_main.py" in found


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("approval/src/approval_api/app.py", "approval/tests"),
        ("approval/tests/support/api_world.py", "approval/tests"),
        ("approval/tests/conftest.py", "approval/tests"),
        ("approval/tests/people/test_people.py", "approval/tests/people"),
        ("guard/src/docker_guard/main.py", "guard/tests"),
        ("guard/pyproject.toml", "guard/tests"),
        ("images/nginx/Dockerfile", "tests"),
        ("tests/documents/test_links.py", "tests"),
        ("approval/tests/was_deleted/test_people.py", "approval/tests"),
        ("approval/src/approval_api/was_deleted/people.py", "approval/tests"),
        ("README.md", "tests"),
    ],
)
def test_elsewhere_it_concerns_the_folder_that_it_is_in(changed, tests):
    assert concerned([changed]) == [tests]


def test_a_folder_that_is_in_another_is_named_once():
    changed = ["approval/tests/people/test_people.py", "approval/src/approval_api/app.py", "cli/README.md"]
    assert concerned(changed) == ["approval/tests", "cli/tests"]


def test_a_room_of_which_only_compiled_modules_are_left_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for folder in ("approval/tests/people", "approval/src/approval_api/people/__pycache__"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(changed_tests, "ROOT", tmp_path)
    assert concerned(["approval/src/approval_api/people/service.py"]) == ["approval/tests"]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run git in a repository whose branch `main` has the files `same` and `changed`."""

    def git(*arguments: str) -> None:
        command = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments)
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    for name in ("same", "changed"):
        (tmp_path / name).write_text(name)
    git("add", ".")
    git("commit", "--message=begin")
    monkeypatch.setattr(changed_tests, "ROOT", tmp_path)
    return git


def test_what_is_not_committed_yet_differs_as_well(git: Callable[..., None], tmp_path: Path):
    git("switch", "--create=work")
    (tmp_path / "committed").touch()
    git("add", ".")
    git("commit", "--message=go on")
    (tmp_path / "new").touch()
    (tmp_path / "changed").write_text("otherwise")
    assert sorted(changed_tests.changed()) == ["changed", "committed", "new"]


def test_a_moved_file_differs_where_it_was_and_where_it_is(git: Callable[..., None]):
    git("mv", "changed", "elsewhere, größer")
    assert sorted(changed_tests.changed()) == ["changed", "elsewhere, größer"]


def test_a_clone_without_main_is_compared_with_its_origin_or_refused(git: Callable[..., None]):
    git("switch", "--detach")
    git("update-ref", "refs/remotes/origin/main", "main")
    git("branch", "--delete", "main")
    git("rm", "changed")
    assert changed_tests.changed() == ["changed"]
    git("update-ref", "-d", "refs/remotes/origin/main")
    with pytest.raises(SystemExit, match="no branch main"):
        changed_tests.changed()


@pytest.mark.parametrize(("outcome", "code"), [("exit 1", 2), ("echo", 0), ("echo guard/tests", 0)])
def test_make_quick_fails_when_the_choice_of_tests_fails(tmp_path: Path, outcome: str, code: int):
    for name, text in (("python", outcome), ("pytest", "exit 5")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    command = ("make", "--old-file=check", f"BIN={tmp_path}", "quick")
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == code
