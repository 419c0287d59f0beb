"""When a told value is the true one."""

import json

from pydantic import JsonValue

from dryrun_contract.kinds import COMPARISONS


def is_told(value: JsonValue) -> bool:
    """Return whether `value` says anything: null and blank text do not."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def same_value(attribute: str, expected: JsonValue, told: JsonValue) -> bool:
    """Compare as `docs/scoring.md` defines it, by the attribute's name.

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
        return _is_plain(told) and any(_normal(told) == _normal(spelling) for spelling in spellings)
    if comparison == "names":
        return _names(expected) is not None and _names(expected) == _names(told)
    return _is_plain(expected) == _is_plain(told) and _normal(expected) == _normal(told)


def _is_plain(value: JsonValue) -> bool:
    return not isinstance(value, list | dict)


def _normal(value: JsonValue) -> str:
    text = str(value) if _is_plain(value) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text.strip().casefold()


def _names(columns: JsonValue) -> frozenset[str] | None:
    """Return column names as they are (SQL tells `Id` from `id`); an object counts by its `name`."""
    if not isinstance(columns, list):
        return None
    return frozenset(
        str(column.get("name")) if isinstance(column, dict) else str(column) for column in columns
    )
