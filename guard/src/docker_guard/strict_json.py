"""JSON with one meaning: whatever two parsers could read differently is refused before it is looked at."""

import json
import re
from collections.abc import Mapping
from typing import Any, Never

from docker_guard.refusal import Refusal, shown

MAX_DEPTH = 12
MAX_TOKENS = 4_000
"""Brackets and commas: a request that says everything there is to say has some 500."""
# Also matches a string that has no end: else every quote in it would begin one, and time would be squared.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_STRUCTURE = re.compile(rb"[^\[\]{},]+")


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the one JSON object in `raw`.

    Raises Refusal for anything else: invalid UTF-8, a byte order mark, a key that stands twice, NaN and
    Infinity, fractions and exponents, data behind the object, deeper than MAX_DEPTH, more than MAX_TOKENS.
    """
    _check_structure(raw)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_float=_no_number,
        )
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair has no UTF-8
    except (ValueError, RecursionError) as error:
        raise Refusal("json", f"the body is no strict JSON: {shown(error)}", 400) from None
    if not isinstance(value, dict):
        raise Refusal("json", "the body is JSON, but no object", 400)
    return value


def _check_structure(raw: bytes) -> None:
    structure = _NOT_STRUCTURE.sub(b"", _STRING.sub(b"", raw))
    if len(structure) > MAX_TOKENS:
        raise Refusal("json", f"the body has more than {MAX_TOKENS} parts", 400)
    depth = 0
    for token in structure:
        depth += (token in b"[{") - (token in b"]}")
        if depth > MAX_DEPTH:
            raise Refusal("json", f"the body is nested deeper than {MAX_DEPTH}", 400)


def _unique(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(text: str) -> Never:
    raise ValueError(f"the number {text[:40]} is no whole number")
