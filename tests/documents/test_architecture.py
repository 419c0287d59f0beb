"""The architecture walks through the long journeys; that its names exist, test_pages.py checks."""

import re

import pytest
from named_code import CODE, ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
JOURNEYS = {
    title: text
    for title, _, text in (part.partition("\n") for part in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:])
}


def test_the_long_journeys_are_there():
    assert list(JOURNEYS) == [
        "A session's start",
        "A discovery, from a collector's stdout to the browser",
        "An import, from an inventory to containers",
        "A delivery, from an approved discovery to its receiver",
        "A crash and its recovery",
        "`make demo`",
    ]


@pytest.mark.parametrize("title", JOURNEYS)
def test_every_step_of_a_journey_names_its_function(title):
    steps = re.findall(r"^\d\. (.+(?:\n   .+)*)", JOURNEYS[title], flags=re.MULTILINE)
    assert len(steps) >= 6
    nameless = [step for step in steps if not CODE.search(step) and "`setup/" not in step]
    assert nameless == []
