"""JSON with one meaning: whatever two parsers could read differently is refused before it is used."""

import json
import re
from typing import Any, Never

from docker_guard.refusal import Refusal, shown

MAX_DEPTH = 12
MAX_TOKENS = 4_000
"""Brackets and commas; a request that sets every field has about 500."""
# Also matches an unterminated string: otherwise every quote in it would begin one, in quadratic time.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_STRUCTURE = re.compile(rb"[^\[\]{},]+")


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the one JSON object in `raw`.

    Raises Refusal for anything else: invalid UTF-8, a byte order mark, a duplicate key, NaN and Infinity,
    fractions and exponents, data after the object, more than MAX_DEPTH levels, more than MAX_TOKENS.
    """
    _check_structure(raw)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=unique,
            parse_constant=_no_number,
            parse_float=_no_number,
        )
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair has no UTF-8
    except (ValueError, RecursionError) as error:
        raise Refusal("json", f"the body is not strict JSON: {shown(error)}", 400) from None
    if not isinstance(value, dict):
        raise Refusal("json", "the body is JSON, but not an object", 400)
    return value


def _check_structure(raw: bytes) -> None:
    structure = _NOT_STRUCTURE.sub(b"", _STRING.sub(b"", raw))
    if len(structure) > MAX_TOKENS:
        raise Refusal("json", f"the body has more than {MAX_TOKENS} brackets and commas", 400)
    depth = 0
    for token in structure:
        depth += (token in b"[{") - (token in b"]}")
        if depth > MAX_DEPTH:
            raise Refusal("json", f"the body is nested deeper than {MAX_DEPTH} levels", 400)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON document. Raises ValueError for a duplicate key."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a duplicate key")
    return found


def _no_number(text: str) -> Never:
    raise ValueError(f"the number {text[:40]} is not an integer")
