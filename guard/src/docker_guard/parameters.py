"""What a query parameter may be: each type reads one text and returns the canonical one."""

import json
import re
from collections.abc import Callable
from typing import Any

from docker_guard.refusal import Refusal, shown
from docker_guard.strict_json import parse_object

type Parameter = Callable[[str], str]
type Filters = dict[str, list[str]]

MAX_FILTER_VALUES = 32
_LITERAL = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What the engine takes for a regular expression, `name` and `id` among them: nothing in it can be costly."""
_LABEL = re.compile(r"[A-Za-z0-9_./:@=-]{1,256}")
_TRUE = frozenset({"1", "true", "True"})
_FALSE = frozenset({"0", "false", "False", ""})


def flag(text: str) -> str:
    """Read a boolean in the spellings of docker's clients."""
    if text in _TRUE or text in _FALSE:
        return "1" if text in _TRUE else "0"
    raise Refusal("query", f"{shown(text)} is no boolean", 400)


def never(text: str) -> str:
    """Read a boolean that must be false."""
    if flag(text) == "1":
        raise Refusal("query", "this parameter may only be false")
    return "0"


def matching(pattern: str) -> Parameter:
    """Return a type for what matches a pattern as a whole."""
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise Refusal("query", f"{shown(text)} does not have the form {pattern}")
        return text

    return read


def filters(*keys: str) -> Parameter:
    """Return a type for docker's filters, in both of its spellings; canonical is a list per key."""

    def read(text: str) -> str:
        found: Filters = {}
        for key, values in parse_object(text.encode()).items():
            if key not in keys:
                raise Refusal(
                    "query", f"the filter {shown(key)} is not allowed; these are: {', '.join(keys)}"
                )
            found[key] = _filter_values(values, _LABEL if key == "label" else _LITERAL)
        return json.dumps(found)

    return read


def _filter_values(values: Any, form: re.Pattern[str]) -> list[str]:
    if isinstance(values, dict) and all(value is True for value in values.values()):
        values = list(values)
    if not isinstance(values, list) or len(values) > MAX_FILTER_VALUES:
        raise Refusal("query", "a filter is no short list of texts", 400)
    for value in values:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise Refusal("query", f"a filter's value does not have the form {form.pattern}", 400)
    return values
