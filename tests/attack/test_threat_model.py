"""The threat models name tests that exist, and the guard's lists its vectors as they are."""

import re

import pytest
from local_stack import ROOT
from named_code import TEST, functions_of
from threat_table import PAGE, page_with_table
from vectors import ALL
from vectors.rules import STOPPED_BY

WHOLE = ROOT / "docs" / "threat-model.md"
_ROW = re.compile(r"^\|(?! ?-)(?P<cells>.+)\|$", re.MULTILINE)


def test_threat_model_lists_every_vector() -> None:
    page = PAGE.read_text()
    assert page == page_with_table(page), "renew it: .venv/bin/python tests/attack/threat_table.py"


def test_every_rule_is_known_and_attacked() -> None:
    assert {vector.rule for vector in ALL} == set(STOPPED_BY)


@pytest.mark.parametrize("page", [WHOLE, PAGE], ids=["system", "guard"])
def test_every_test_that_is_named_exists(page: object) -> None:
    named = TEST.findall((ROOT / str(page)).read_text())
    assert named or page == PAGE
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file() or (name and name not in functions_of(file))
    ]
    assert not missing


def test_every_row_about_an_attacker_names_its_test() -> None:
    """A line of the tables of attacks that no test stands behind is a hope."""
    for section in WHOLE.read_text().split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        if not title.startswith("Hostile"):
            continue
        rows = [found["cells"] for found in _ROW.finditer(body)][1:]
        assert rows, title
        assert all(TEST.search(row) for row in rows), title
