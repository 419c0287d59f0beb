"""JSON from outside is measured before it becomes values."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, check_bounds, read_json, read_model

BOUNDS = JsonBounds(size=100_000, values=100, depth=5, key_length=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=40,
)


def _count(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_count, value.values()))
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1


def _depth(value: Any) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'"' + b"x" * 100_000 + b'"', "longer than 100000 bytes"),
        (b"[" + b"[]," * 100 + b"[]]", "more than 100 values"),
        (b"[" + b"1," * 100 + b"1]", "more than 100 values"),
        (b"[" * 6 + b"]" * 6, "nested deeper than 5, or brackets that do not match"),
        (b'{"a":' * 6 + b"1" + b"}" * 6, "nested deeper than 5, or brackets that do not match"),
        (b'{"' + b"k" * 21 + b'" : 1}', "an object key is longer than 20 characters"),
        (b'{"x":"y","' + b"k" * 21 + b'":1}', "an object key is longer than 20 characters"),
    ],
)
def test_refuses_what_exceeds_a_ceiling(text: bytes, reason: str) -> None:
    with pytest.raises(OutOfBoundsError, match=f"^{reason}$"):
        check_bounds(text, BOUNDS)


def test_structure_inside_strings_does_not_count() -> None:
    text = json.dumps({"a": "[[[[[[[[,,,,{{{{" * 50, "b": '"],[' * 50, "c": "\\" * 51}).encode()

    assert read_json(text, BOUNDS) == json.loads(text)
    assert read_json(b'"[{"', JsonBounds(size=10, values=1, depth=0)) == "[{"


def test_long_values_are_not_keys() -> None:
    check_bounds(json.dumps({"a": "v" * 1000, "b": ["w" * 1000]}).encode(), BOUNDS)


@given(JSON)
def test_counts_at_least_the_values_of_a_parser_and_accepts_what_fits(value: Any) -> None:
    text = json.dumps(value).encode()
    # A container with members counts once; its first member needs no comma.
    generous = JsonBounds(size=len(text), values=2 * _count(value), depth=_depth(value), key_length=200)

    assert read_json(text, generous) == value
    if _depth(value):
        with pytest.raises(OutOfBoundsError):
            check_bounds(text, JsonBounds(size=len(text), values=10_000, depth=_depth(value) - 1))


@given(st.binary(max_size=2_000))
def test_bytes_of_any_kind_are_refused_or_read(text: bytes) -> None:
    try:
        read_json(text, BOUNDS)
    except ValueError:
        return


@pytest.mark.parametrize("piece", [b'"', b"\\", b'"\\', b"[", b'{"', b'":', b',"'])
def test_time_grows_with_the_length_and_not_with_its_square(piece: bytes) -> None:
    text = piece * (4_000_000 // len(piece))
    before = time.monotonic()

    with suppress(OutOfBoundsError):
        check_bounds(text, JsonBounds(size=len(text), values=len(text), depth=len(text), key_length=100))

    assert time.monotonic() - before < 20


def test_a_model_is_read_within_bounds_only() -> None:
    adapter = TypeAdapter(list[int])

    assert read_model(adapter, b"[1,2]", BOUNDS) == [1, 2]
    with pytest.raises(OutOfBoundsError):
        read_model(adapter, b"[" + b"1," * 200 + b"1]", BOUNDS)
    with pytest.raises(ValidationError):
        read_model(adapter, b'["x"]', BOUNDS)
