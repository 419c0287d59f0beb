"""What an answer means: how long to wait, and what is kept of what was said."""

import html
import string
import time
from urllib.parse import quote

import pytest

from approval_api.deliveries.sending.answers import wait_asked_for, without
from approval_api.egress.client import Answer


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("999999999", 3600.0),
        ("9" * 400, None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Fri, 31 Dec 99999999999999 23:59:59 GMT", None),
        ("Fri, 31 Dec 2030 23:59:59 +99999999999999", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_read_or_none_and_at_most_an_hour(said, seconds):
    assert wait_asked_for(Answer(503, {"retry-after": said}, b"")) == seconds


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        ("/" + "%5C" * 26 + "x", "/" + "\\" * 52 + "y"),
        ("/" + "%5C-" * 26 + "x", "/" + r"\\-" * 26 + "y"),
        ("/" + "%27" * 27 + "x", "/" + "&#x27;" * 27 + "y"),
        ("-" * 500 + "x", "-" * 1_000_000),
    ],
    ids=["backslashes", "backslashes and signs", "apostrophes", "a long answer"],
)
def test_an_answer_that_nearly_repeats_what_is_hidden_is_read_at_once(hidden, said):
    begun = time.process_time()
    without(said, [hidden])
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("character", sorted(set(string.punctuation) - {"\\"}))
def test_no_text_fits_two_spellings_of_a_character(character):
    hidden = character * 26 + "x"
    code = ord(character)
    spellings = (character, f"\\{character}", quote(character), html.escape(character), f"\\x{code:02x}")
    begun = time.process_time()
    for spelled in (*spellings, f"\\u{code:04x}", f"&#{code};", f"&#x{code:x};"):
        assert without(f"a{spelled * 26}x", [hidden]) == "a…"
        without(spelled * 26 + "y", [hidden])
    assert time.process_time() - begun < 1


def test_of_an_answer_to_many_backslashes_nothing_is_shown():
    assert without("a" + "\\" * 8 + "z", ["\\" * 8]) == "a…z"
    assert without("a" + "\\" * 9 + "z", ["\\" * 9]) == "…"


def test_what_is_hidden_far_into_an_answer_leaves_no_part_of_it_in_what_is_shown():
    said = without("key " * 1000 + "k", ["key"])
    assert said.startswith("… … ")
    assert "k" not in said
