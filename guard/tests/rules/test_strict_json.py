"""JSON with one meaning."""

import json
import time

import pytest
from guard_stage import judged
from hypothesis import given
from hypothesis import strategies as st

from docker_guard.refusal import Refusal
from docker_guard.rules.strict_json import MAX_DEPTH, MAX_TOKENS, parse_object

REFUSED = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "a duplicate": b'{"a": 1, "a": 1}',
    "a duplicate deep down": b'{"a": [{"b": 1, "b": 2}]}',
    "a duplicate by an escape": b'{"a": 1, "\\u0061": 2}',
    "trailing data": b"{} {}",
    "a trailing comma": b'{"a": 1,}',
    "a comment": b'{"a": 1} // x',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a fraction": b'{"a": 1.0}',
    "an exponent": b'{"a": 1e3}',
    "a leading zero": b'{"a": 01}',
    "half of a pair in a value": b'{"a": "\\ud800"}',
    "half of a pair in a key": b'{"\\ud800": 1}',
    "no UTF-8": b'{"a": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "a line feed in a text": b'{"a": "\n"}',
    "too deep": b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "very deep": b'{"a":' + b"[" * 19_000,
    "too many parts": b'{"a":[' + b"1," * MAX_TOKENS + b"1]}",
    "a number without an end": b'{"a": ' + b"9" * 5000 + b"}",
    "single quotes": b"{'a': 1}",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_what_two_parsers_may_read_differently(raw):
    with pytest.raises(Refusal) as refused:
        parse_object(raw)
    assert (refused.value.rule, refused.value.status) == ("json", 400)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(blacklist_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(blacklist_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(blacklist_categories=("Cs",))), JSON, max_size=4), st.booleans())
def test_reads_every_object_that_has_one_meaning(value, ascii_only):
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200))
def test_anything_is_an_object_or_refused(raw):
    assert isinstance(judged(lambda: parse_object(raw)), dict | Refusal)


@pytest.mark.parametrize("piece", [b'"', b"\\", b'\\"', b"[", b"{", b'"\\', b"a", b'""'])
def test_two_megabytes_of_anything_are_parsed_quickly(piece):
    begun = time.monotonic()
    with pytest.raises(Refusal):
        parse_object((piece * (2**21 // len(piece) + 1))[: 2**21])
    assert time.monotonic() - begun < 5
