import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.text import printable


@given(st.text())
def test_no_character_can_steer_a_terminal(text):
    assert not {unicodedata.category(c) for c in printable(text)} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(), st.integers(1, 50))
def test_what_is_shown_stays_within_the_limit(text, limit):
    assert printable(text, limit=limit).removesuffix("…") == printable(text[:limit], limit=limit)


def test_ordinary_text_is_left_as_it_is():
    assert printable("Zürich, 东京: 5 €") == "Zürich, 东京: 5 €"


def test_escapes_and_bidirectional_marks_become_visible():
    assert printable("a\x1b[2J\u202eb\x00") == "a\\x1b[2J\\u202eb\\x00"
