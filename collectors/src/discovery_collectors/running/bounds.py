"""How a collector says that a bound left something out, so that no list that was cut passes for the whole.

A thing that is not reported is a warning, and a scan with warnings proves nothing gone. Where only a value of
a thing that is reported was cut, that value's number of entries stands beside it.
"""

from collections.abc import Callable, Sequence

from pydantic import JsonValue


def first[Item](found: Sequence[Item], most: int, what: str, warn: Callable[[str], None]) -> Sequence[Item]:
    """Return the first `most` of the things found, and warn when there are more; `what` is their plural."""
    if len(found) > most:
        warn(more_than(most, what))
    return found[:most]


def more_than(most: int, what: str, done: str = "reported") -> str:
    """Return the warning that a bound left out all but the first `most` things."""
    return f"more than {most} {what}; the first {most} are {done}"


def cut(name: str, values: Sequence[JsonValue], most: int) -> dict[str, JsonValue]:
    """Return the attribute `name` with its first `most` values, and with `…_total` if there are more."""
    data: dict[str, JsonValue] = {name: list(values[:most])}
    if len(values) > most:
        data[f"{name}_total"] = len(values)
    return data
