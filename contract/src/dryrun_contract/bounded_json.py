"""Reads JSON from outside: its size is checked before it is parsed.

A parser spends memory by values, not by bytes: `[[],[],…]` grows 25-fold and more. Read JSON from any other
process (a collector, a browser, another service) here.
"""

import functools
import json
import re
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

# An unfinished string matches too: else every quote in it would begin one, and time would be squared.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
_BRACKETS = bytes.maketrans(b"{}", b"[]")


@dataclass(frozen=True, slots=True)
class JsonBounds:
    """Ceilings of one JSON text.

    `values` bounds scalars, arrays, objects and their members together; it is compared with the number of
    opening brackets and commas, which is never less than the number of values that need memory. `key_length`
    bounds each object key; an escaped character counts as one or more.
    """

    size: int
    """Bytes of the whole text."""
    values: int
    depth: int = 16
    key_length: int = 256


class OutOfBoundsError(ValueError):
    """A JSON text exceeds a ceiling; the message names the ceiling and never quotes the text."""


def check_bounds(text: bytes, bounds: JsonBounds) -> None:
    """Raise OutOfBoundsError when `text` exceeds `bounds`. The syntax is left to the parser.

    Takes time linear in the length of `text`, and memory of a few times its length, at most `bounds.size`.
    """
    if len(text) > bounds.size:
        raise OutOfBoundsError(f"longer than {bounds.size} bytes")
    if text.count(b"[") + text.count(b"{") + text.count(b",") > bounds.values:
        # Brackets and commas inside strings do not count.
        structure = _structure(text)
        if len(structure) - structure.count(b"]") - structure.count(b"}") > bounds.values:
            raise OutOfBoundsError(f"more than {bounds.values} values")
    if text.count(b"[") + text.count(b"{") > bounds.depth:
        _check_depth(_structure(text), bounds.depth)
    if len(text) <= bounds.key_length:  # as are most lines: no key in it is longer
        return
    fitting = _keys_up_to(bounds.key_length).match(text)
    if fitting is None or fitting.end() < len(text):
        raise OutOfBoundsError(f"an object key is longer than {bounds.key_length} characters")


def read_json(text: bytes, bounds: JsonBounds) -> JsonValue:
    """Return the value of `text`. Raises OutOfBoundsError, and ValueError if `text` is not JSON in UTF-8."""
    check_bounds(text, bounds)
    value: JsonValue = json.loads(text.decode("utf-8"))
    return value


def read_model[T](model: type[T] | TypeAdapter[T], text: bytes, bounds: JsonBounds) -> T:
    """Return the model that `text` describes. Raises OutOfBoundsError, or pydantic.ValidationError."""
    check_bounds(text, bounds)
    return (model if isinstance(model, TypeAdapter) else TypeAdapter(model)).validate_json(text)


@functools.cache
def _keys_up_to(length: int) -> re.Pattern[bytes]:
    """Match from the start of a text to its end, or to the first object key longer than `length`."""
    value = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"(?![ \t\r\n]*+:)|\\?\Z)'
    key = rb'"(?:[^"\\]|\\.){0,%d}+"' % length
    return re.compile(rb'(?:[^"]++|%b|%b)*+' % (value, key), re.DOTALL)


def _structure(text: bytes) -> bytes:
    return _STRING.sub(b"", text).translate(None, _NOT_STRUCTURE)


def _check_depth(structure: bytes, deepest: int) -> None:
    # Each round removes the innermost layer, at the speed of memory.
    layers = structure.translate(_BRACKETS, b",")
    for _ in range(deepest):
        if not layers:
            return
        layers = layers.replace(b"[]", b"")
    if layers:
        raise OutOfBoundsError(f"nested deeper than {deepest}, or brackets that do not match")
