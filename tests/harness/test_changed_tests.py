"""`make quick` runs the tests that concern a change."""

import subprocess
from pathlib import Path

import changed_tests
import pytest
from changed_tests import concerned


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
        ("guard/src/docker_guard/gate.py", "guard/tests"),
        ("guard/pyproject.toml", "guard/tests"),
        ("images/nginx/Dockerfile", "tests"),
        ("tests/documents/test_links.py", "tests"),
        ("README.md", "tests"),
    ],
)
def test_elsewhere_it_concerns_the_folder_that_it_is_in(changed, tests):
    assert concerned([changed]) == [tests]


def test_a_folder_that_is_in_another_is_named_once():
    changed = ["approval/tests/people/test_people.py", "approval/src/approval_api/app.py", "cli/README.md"]
    assert concerned(changed) == ["approval/tests", "cli/tests"]


def test_what_is_not_committed_yet_differs_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*arguments: str) -> None:
        command = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments)
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    def write(*names: str) -> None:
        for name in names:
            (tmp_path / name).write_text(name)

    git("init", "--initial-branch=main")
    write("same", "changed")
    git("add", ".")
    git("commit", "--message=begin")
    git("switch", "--create=work")
    write("committed")
    git("add", ".")
    git("commit", "--message=go on")
    write("new")
    (tmp_path / "changed").write_text("otherwise")
    monkeypatch.setattr(changed_tests, "ROOT", tmp_path)
    assert sorted(changed_tests.changed()) == ["changed", "committed", "new"]
