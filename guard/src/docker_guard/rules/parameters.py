"""Types of query parameters: each parses one text and returns its canonical form."""

import json
import re
from collections.abc import Callable
from typing import Any

from docker_guard.refusal import Refusal, shown
from docker_guard.rules.strict_json import parse_object

type Parameter = Callable[[str], str]
type Filters = dict[str, list[str]]

MAX_FILTER_VALUES = 32
_LITERAL = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""Filters that the engine treats as regular expressions (`id`); nothing costly can be expressed."""
_LABEL = re.compile(r"[A-Za-z0-9_./:@=-]{1,256}")
_TRUE = frozenset({"1", "true", "True"})
_FALSE = frozenset({"0", "false", "False", ""})


def flag(text: str) -> str:
    """Parse a boolean in the spellings of docker's clients."""
    if text in _TRUE or text in _FALSE:
        return "1" if text in _TRUE else "0"
    raise Refusal("query", f"{shown(text)} is not a boolean", 400)


def never(text: str) -> str:
    """Parse a boolean that must be false."""
    if flag(text) == "1":
        raise Refusal("query", "this parameter may only be false")
    return "0"


def always(text: str) -> str:
    """Parse a boolean that must be true."""
    if flag(text) == "0":
        raise Refusal("query", "this parameter may only be true")
    return "1"


def matching(pattern: str) -> Parameter:
    """Return a type for texts that match a pattern as a whole."""
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise Refusal("query", f"{shown(text)} does not have the form {pattern}")
        return text

    return read


def filters(*keys: str) -> Parameter:
    """Return a type for docker's filters in both spellings; the canonical form is a list per key."""

    def read(text: str) -> str:
        found: Filters = {}
        for key, values in parse_object(text.encode()).items():
            if key not in keys:
                raise Refusal(
                    "query", f"the filter {shown(key)} is not allowed; allowed are {', '.join(keys)}"
                )
            found[key] = _filter_values(values, _LABEL if key == "label" else _LITERAL)
        return json.dumps(found)

    return read


def _filter_values(values: Any, form: re.Pattern[str]) -> list[str]:
    if isinstance(values, dict) and all(value is True for value in values.values()):
        values = list(values)
    if not isinstance(values, list) or len(values) > MAX_FILTER_VALUES:
        raise Refusal("query", f"a filter is not a list of at most {MAX_FILTER_VALUES} texts", 400)
    for value in values:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise Refusal("query", f"a filter's value does not have the form {form.pattern}", 400)
    return values
