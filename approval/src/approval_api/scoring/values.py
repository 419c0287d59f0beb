"""Whether a reported value matches the expected one."""

import json

from pydantic import JsonValue

from dryrun_contract.kinds import COMPARISONS


def has_value(value: JsonValue) -> bool:
    """Return whether `value` is a value: null and blank text are none."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def same_value(attribute: str, expected: JsonValue, reported: JsonValue) -> bool:
    """Return whether both values match, by the rule for the attribute (`docs/scoring.md`).

    >>> same_value("product", ["PostgreSQL", "PostgreSQL DB"], "postgresql db")
    True
    >>> same_value("product", "nginx", ["nginx", "Apache"])
    False
    >>> same_value("columns", ["id", "name"], ["name", "id"])
    True
    >>> same_value("version", "7.2", 7.2)
    True
    """
    comparison = COMPARISONS.get(attribute, "text")
    if comparison == "spellings":
        spellings = expected if isinstance(expected, list) else [expected]
        return _is_plain(reported) and any(_normal(reported) == _normal(spelling) for spelling in spellings)
    if comparison == "names":
        return _names(expected) is not None and _names(expected) == _names(reported)
    return _is_plain(expected) == _is_plain(reported) and _normal(expected) == _normal(reported)


def _is_plain(value: JsonValue) -> bool:
    return not isinstance(value, list | dict)


def _normal(value: JsonValue) -> str:
    text = str(value) if _is_plain(value) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text.strip().casefold()


def _names(columns: JsonValue) -> frozenset[str] | None:
    """Return column names as they are (SQL distinguishes `Id` from `id`); an object by its `name`."""
    if not isinstance(columns, list):
        return None
    return frozenset(
        str(column.get("name")) if isinstance(column, dict) else str(column) for column in columns
    )
