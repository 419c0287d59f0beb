"""The threat model lists the vectors as they are, each with a rule that is known."""

from threat_table import PAGE, page_with_table
from vectors import ALL
from vectors.rules import STOPPED_BY


def test_threat_model_lists_every_vector() -> None:
    page = PAGE.read_text()
    assert page == page_with_table(page), "renew it: .venv/bin/python tests/attack/threat_table.py"


def test_every_rule_is_known_and_attacked() -> None:
    assert {vector.rule for vector in ALL} == set(STOPPED_BY)
