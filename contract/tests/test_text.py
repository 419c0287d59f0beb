import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.text import printable


@given(st.text())
def test_no_character_can_steer_a_terminal(text):
    assert not {unicodedata.category(c) for c in printable(text)} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(), st.integers(1, 50))
def test_what_is_shown_stays_within_the_limit(text, limit):
    shown = printable(text, limit=limit)
    assert shown == printable(text[: limit + 1], limit=limit)
    assert shown == (whole := printable(text, limit=1000)) or whole.startswith(shown.removesuffix("…"))
    assert len(shown.removesuffix("…")) <= limit


def test_an_escape_counts_as_what_it_becomes_and_is_not_cut():
    assert printable("a\x1b\x1b\x1b", limit=10) == "a\\x1b\\x1b…"


def test_ordinary_text_is_left_as_it_is():
    assert printable("Zürich, 东京: 5 €") == "Zürich, 东京: 5 €"


def test_ordinary_text_is_cut_at_the_limit_and_the_cut_is_marked():
    assert [printable("5 €", limit=limit) for limit in (0, 2, 3)] == ["…", "5 …", "5 €"]


def test_escapes_and_bidirectional_marks_become_visible():
    assert printable("a\x1b[2J\u202eb\x00") == "a\\x1b[2J\\u202eb\\x00"
