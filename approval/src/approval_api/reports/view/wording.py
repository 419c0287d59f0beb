"""Figures and data in words, the same in every section."""

import json

from pydantic import JsonValue

from approval_api.reports.view.blocks import Quoted, Text, in_a_row, text
from dryrun_contract.text import byte_count, counted


def share(value: float | None) -> str:
    """Return 0.931 as `93.1 %`; a dash for what is undefined."""
    return "-" if value is None else f"{100 * value:.1f} %"


def count(value: float | None, *, at_least: bool = False) -> str:
    """Return a number with its thousands set apart; None is not measured."""
    if value is None:
        return "not measured"
    return f"{'at least ' if at_least else ''}{value:,.0f}"


def size(value: float, *, at_least: bool = False) -> str:
    """Return a number of bytes in the unit that suits it."""
    return f"{'at least ' if at_least else ''}{byte_count(value)}"


def seconds(value: float | None) -> str:
    """Return a duration; an ellipsis for one that is not over.

    >>> [seconds(value) for value in (4.21, 59.97, 723, 11_100, None)]
    ['4.2 s', '1 min 0 s', '12 min 3 s', '3 h 5 min', '…']
    """
    if value is None:
        return "…"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def times(number: int, noun: str) -> str:
    """Return `1 target`, `2 targets`, `no target`."""
    return counted(number, noun) if number else f"no {noun}"


def data(reported: dict[str, JsonValue]) -> Text:
    """Return the attributes of a discovery, name by name."""
    words = ", ".join(f"{name}: {plain(value)}" for name, value in sorted(reported.items()))
    return text(Quoted(words)) if words else text()


def value(reported: JsonValue) -> Text:
    """Return one value; a list as its parts."""
    if isinstance(reported, list):
        return text(Quoted(", ".join(map(plain, reported))))
    return text(Quoted(plain(reported)))


def plain(reported: JsonValue) -> str:
    """Return a text as it is, and any other value as JSON."""
    return reported if isinstance(reported, str) else json.dumps(reported, ensure_ascii=False, sort_keys=True)


def names(reported: tuple[str, ...], nobody: str = "") -> Text:
    """Return names in a row."""
    return in_a_row(((Quoted(name),) for name in reported), len(reported), ", ") if reported else text(nobody)
