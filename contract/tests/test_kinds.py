from pathlib import Path

import pytest

from dryrun_contract.kinds import COMPARISONS, KINDS, LOOKS, render_table
from dryrun_contract.resource_key import ResourceKey

TABLE = Path(__file__).parents[2] / "docs" / "kinds.md"


def test_the_committed_table_is_that_of_the_rows():
    assert TABLE.read_text(encoding="utf-8") == render_table(), "run: python -m dryrun_contract.kinds"


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_key_has_as_many_names_as_its_kind_says(kind):
    for pattern in kind.key.split(" or "):
        key = ResourceKey.parse(f"web{pattern.replace('PORT', '80').replace('…', '')}")
        fewest, most = kind.names
        assert fewest <= len(key.path) <= most
        assert (key.port is None) == (kind.name == "host")


def test_every_comparison_is_of_an_attribute_that_some_kind_scores():
    assert set(COMPARISONS) <= {name for kind in KINDS.values() for name in kind.scored}


def test_every_scored_attribute_says_what_it_looks_like():
    assert list(LOOKS) == [(kind.name, name) for kind in KINDS.values() for name in kind.scored]
