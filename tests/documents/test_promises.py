"""The index of promises names only what exists, and no promise is without code and test."""

import re

import pytest
from named_code import CODE, FILE, ROOT, TEST, missing_in

PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\|(?! ?-)(.+)\|$", re.MULTILINE)


def rows():
    """Yield (rule, code, tests, consequence) of every promise."""
    for section in PROMISES.split("\n## ")[1:]:
        for row in _ROW.findall(section)[1:]:
            yield tuple(cell.strip() for cell in row.split(" | "))


def test_every_promise_names_its_code_its_test_and_what_happens_when_it_is_broken():
    for rule, code, tests, consequence in rows():
        assert CODE.search(code) or FILE.search(code), rule
        assert TEST.search(tests), rule
        assert consequence, rule


def test_every_promise_of_the_readme_has_its_section():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    promised = re.findall(r"^- \*\*(.+)\.\*\* ", readme, re.MULTILINE)

    assert len(promised) == 5
    assert all(f"\n## {title}\n" in PROMISES for title in promised)


@pytest.mark.parametrize(
    "named",
    [
        "docker_guard.calls.routes.NONE",
        "docker_guard.nowhere.find",
        "dryrun_cli.nowhere.at_all",
        "guard/tests/calls/test_gate.py::test_none",
        "guard/tests/test_nowhere.py",
        "deploy/nowhere/file",
    ],
)
def test_a_name_that_does_not_exist_is_found(named):
    assert list(missing_in(f"see `{named}`")) == [named]


@pytest.mark.parametrize(
    "named",
    [
        "docker_guard.calls.routes.ROUTES",
        "docker_guard.calls.gate.Gate.start",
        "docker_guard",
        "guard/tests/calls/test_gate.py",
        "deploy/host-rule/dryrun-host-rule",
    ],
)
def test_a_name_that_exists_is_not_reported(named):
    assert list(missing_in(f"see `{named}`")) == []
