"""The index of promises names only what exists, and no promise is without code and test."""

import re

import pytest
from named_code import CODE, FILE, ROOT, TEST, missing_in

PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\|(?! ?-)(.+)\|$", re.MULTILINE)
_LINKED = re.compile(r"\]\(([^)#\s]+)")


def rows():
    """Yield (rule, code, tests, consequence) of every promise."""
    for section in PROMISES.split("\n## ")[2:]:
        for row in _ROW.findall(section)[1:]:
            yield tuple(cell.strip() for cell in row.split(" | "))


@pytest.mark.parametrize("page", ["promises.md", "architecture.md"])
def test_everything_that_is_named_exists(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")

    assert CODE.search(text)
    assert list(missing_in(text)) == []


def test_every_promise_names_its_code_its_test_and_what_happens_when_it_is_broken():
    for rule, code, tests, consequence in rows():
        assert CODE.search(code) or FILE.search(code), rule
        assert TEST.search(tests), rule
        assert consequence, rule


def test_one_or_two_files_answer_each_question():
    section = PROMISES.split("\n## ")[1]
    questions = [row.strip().split(" | ") for row in _ROW.findall(section)[1:]]

    assert len(questions) >= 10
    for question, answer, files in questions:
        named = set(_LINKED.findall(files))
        assert len(named) in (1, 2), question
        assert all((ROOT / "docs" / each).is_file() for each in named), question
        # The answer speaks of the first of them: by its page, or by what is in the module.
        first = _LINKED.findall(files)[0].removeprefix("../")
        assert first in answer or any(_is_in(name, first) for name in CODE.findall(answer)), question


def _is_in(name, file):
    """Return whether a dotted name belongs to the module in a file."""
    module = file.partition("/src/")[2].removesuffix(".py").replace("/", ".")
    return f"{name}.".startswith(f"{module}.")


def test_every_promise_of_the_readme_has_its_section():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    promised = re.findall(r"^- \*\*(.+)\.\*\* ", readme, re.MULTILINE)

    assert len(promised) == 5
    assert all(f"\n## {title}\n" in PROMISES for title in promised)


@pytest.mark.parametrize(
    "named",
    [
        "docker_guard.routes.NONE",
        "docker_guard.nowhere.find",
        "dryrun_cli.nowhere.at_all",
        "guard/tests/test_gate.py::test_none",
        "guard/tests/test_nowhere.py",
        "deploy/nowhere/file",
    ],
)
def test_a_name_that_does_not_exist_is_found(named):
    assert list(missing_in(f"see `{named}`")) == [named]


@pytest.mark.parametrize(
    "named",
    [
        "docker_guard.routes.ROUTES",
        "docker_guard.gate.Gate.start",
        "docker_guard",
        "guard/tests/test_gate.py",
        "deploy/host-rule/dryrun-host-rule",
    ],
)
def test_a_name_that_exists_is_not_reported(named):
    assert list(missing_in(f"see `{named}`")) == []
