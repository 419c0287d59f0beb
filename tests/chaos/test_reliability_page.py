"""The published campaigns: the page says what their rounds prove, and their rounds nothing of a machine."""

import re

import pytest
from record import Record, Round
from reliability_page import CAMPAIGNS, PAGE, proof, renewed, rounds_of


def _round(number, **fields):
    values = {"made": ["kill api"], "unmade": {}, "outcomes": ["completed"], "reasons": [], "breaches": []}
    return Round(7, number, **(values | fields))


def test_the_page_says_exactly_what_the_rounds_prove():
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "run tests/chaos/reliability_page.py"


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_no_line_names_a_path_a_session_or_an_address(campaign):
    said = rounds_of(campaign).read_text(encoding="utf-8")
    assert Record.read(rounds_of(campaign)).faults
    assert re.findall(r"[^\"]*(?:(?<![\w#])/\w+/|[0-9a-f]{8}|\d\.\d+\.)[^\"]*", said) == []


def test_a_page_without_a_part_for_a_campaign_is_refused():
    with pytest.raises(KeyError, match="no part for fleet"):
        renewed("<!-- rounds of one-host -->\n<!-- end of rounds -->\n")


def test_the_bound_is_said_only_while_no_breach_stands():
    record = Record()
    for number in range(1, 31):
        record.add(_round(number, made=["kill api", "freeze guard"]))
    assert "fewer than one in 20 such faults breaks" in proof(record)
    assert "fewer than one in 10." in proof(record)
    record.add(_round(4, breaches=["a container is left"]))
    assert "**Rounds with a breach**: seed 7, round 4." in proof(record)
    assert "95 %" not in proof(record)
    record.add(_round(4))
    assert "**No breach stands.**" in proof(record)
    assert "a breach that were played again, without one: seed 7, round 4." in proof(record)


def test_what_proves_nothing_is_listed():
    record = Record()
    record.claim(7)
    record.claim(7)
    record.claim(7)
    record.add(_round(1, made=[], unmade={"kill api": "nothing stood"}))
    record.add(_round(2, void="it went wrong"))
    said = proof(record)
    assert "- Faults that did not happen: kill api (1)." in said
    assert "could not put right: seed 7, round 2." in said
    assert "cut off: seed 7, round 3." in said
    assert "Nothing is proved yet." in said
