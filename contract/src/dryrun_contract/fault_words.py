"""Puts a fault that Pydantic found into words for people who never heard of Pydantic."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from dryrun_contract.text import counted

type _Context = Mapping[str, Any]

A_TIME: Final = "must be a time with its zone, such as 2026-01-31T09:30:00Z (RFC 3339)"
_A_DATE: Final = "must be a date, such as 2026-01-31"
_A_NETWORK: Final = "must be an address or a network, such as 192.0.2.7 or 192.0.2.0/24"
_A_LIST: Final = "must be a list"
_AN_OBJECT: Final = "must be a map of names to values"
_A_WHOLE_NUMBER: Final = "must be a whole number"
_A_NUMBER: Final = "must be a number"
_TRUE_OR_FALSE: Final = "must be true or false"

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "int_type": _A_WHOLE_NUMBER,
    "int_parsing": _A_WHOLE_NUMBER,
    "int_from_float": _A_WHOLE_NUMBER,
    "int_parsing_size": "has too many digits",
    "float_type": _A_NUMBER,
    "float_parsing": _A_NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _TRUE_OR_FALSE,
    "bool_parsing": _TRUE_OR_FALSE,
    "none_required": "must be null",
    "string_type": "must be text",
    "bytes_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "list_type": _A_LIST,
    "tuple_type": _A_LIST,
    "set_type": _A_LIST,
    "frozen_set_type": _A_LIST,
    "dict_type": _AN_OBJECT,
    "mapping_type": _AN_OBJECT,
    "model_type": _AN_OBJECT,
    "model_attributes_type": _AN_OBJECT,
    "datetime_type": A_TIME,
    "datetime_parsing": A_TIME,
    "datetime_from_date_parsing": A_TIME,
    "datetime_object_invalid": A_TIME,
    "timezone_aware": A_TIME,
    "date_type": _A_DATE,
    "date_parsing": _A_DATE,
    "date_from_datetime_parsing": _A_DATE,
    "date_from_datetime_inexact": _A_DATE,
    "uuid_type": "must be a complete id (a UUID)",
    "uuid_parsing": "must be a complete id (a UUID)",
    "url_type": "must be a URL, such as https://host.example",
    "url_parsing": "must be a URL, such as https://host.example",
    "url_syntax_violation": "must be a URL, such as https://host.example",
    "ip_v4_network": _A_NETWORK,
    "ip_v6_network": _A_NETWORK,
    "ip_any_network": _A_NETWORK,
    "ip_any_address": "must be an address, such as 192.0.2.7",
}


def _length(one: str) -> Callable[[_Context], str]:
    """Return what says how many there must be, from `min_length` or `max_length`."""

    def say(context: _Context) -> str:
        least = context.get("min_length")
        if least is not None:
            return "must not be empty" if least == 1 else f"must have at least {counted(least, one)}"
        return f"must have at most {counted(context['max_length'], one)}"

    return say


_WORDS_WITH: Final[Mapping[str, Callable[[_Context], str]]] = {
    "literal_error": lambda context: f"must be {context['expected']}",
    "enum": lambda context: f"must be {context['expected']}",
    "greater_than": lambda context: f"must be more than {_number(context['gt'])}",
    "greater_than_equal": lambda context: f"must be at least {_number(context['ge'])}",
    "less_than": lambda context: f"must be less than {_number(context['lt'])}",
    "less_than_equal": lambda context: f"must be at most {_number(context['le'])}",
    "multiple_of": lambda context: f"must be a multiple of {context['multiple_of']}",
    "string_too_short": _length("character"),
    "string_too_long": _length("character"),
    "url_too_long": _length("character"),
    "too_short": _length("value"),
    "too_long": _length("value"),
    "string_pattern_mismatch": lambda context: _of_pattern(str(context["pattern"])),
    "url_scheme": lambda context: f"must begin with {context['expected_schemes']}",
    "union_tag_not_found": lambda context: f"has no {context['discriminator']}",
    "union_tag_invalid": lambda context: (
        f"has a {context['discriminator']} that is none of {context['expected_tags']}"
    ),
}

_SET: Final = r"\[((?:\\.|[^\]\\^])(?:\\.|[^\]\\])*)\]"
_NAME: Final = re.compile(rf"\^{_SET}{_SET}\{{0,([0-9]+)\}}\$")
_OF_ONE_SET: Final = re.compile(rf"\^{_SET}\{{([0-9]+)\}}\$")
_RANGE: Final = re.compile(r"\\?(.)-\\?(.)|\\?(.)")
_CONTROLS: Final = re.compile(r"\^\[\^\\x00(-\\x1f(?:\\x7f(?:-\\x9f)?)?)?\]([*+])\$")


def in_words(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, as it follows its place; without the value, which may be a secret.

    >>> in_words({"type": "less_than_equal", "msg": "Input should be…", "ctx": {"le": 366}})
    'must be at most 366'
    >>> in_words({"type": "value_error", "msg": "Value error, the name is taken"})
    'the name is taken'
    >>> in_words({"type": "string_pattern_mismatch", "ctx": {"pattern": "^[a-z][a-z0-9-]{0,63}$"}, "msg": ""})
    'must be 1 to 64 characters of a-z, 0-9 and -, the first of a-z'
    """
    kind, context = str(fault["type"]), fault.get("ctx") or {}
    try:
        words = _WORDS.get(kind) or _WORDS_WITH[kind](context)
    except KeyError:
        words = str(fault["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return words


def _number(bound: Any) -> str:
    """Return a bound as somebody types it; one that is whole, without decimal places."""
    whole = isinstance(bound, int) or (isinstance(bound, float) and bound.is_integer())
    return str(int(bound)) if whole else str(bound)


def _of_pattern(pattern: str) -> str:
    if name := _NAME.fullmatch(pattern):
        most = int(name[3]) + 1
        return (
            f"must be 1 to {most} characters of {_characters(name[2])}, the first of {_characters(name[1])}"
        )
    if one := _OF_ONE_SET.fullmatch(pattern):
        return f"must be {one[2]} characters of {_characters(one[1])}"
    if controls := _CONTROLS.fullmatch(pattern):
        refused = "control characters" if controls[1] else "the character U+0000"
        return f"must not {'be empty or ' if controls[2] == '+' else ''}have {refused}"
    return f"must match the pattern {pattern}"


def _characters(of: str) -> str:
    parts = [f"{part[1]}-{part[2]}" if part[1] else part[3] for part in _RANGE.finditer(of)]
    named = ["blanks" if part == " " else part for part in parts]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
