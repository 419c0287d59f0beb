"""Figures and data in words, the same in every section."""

import json

from pydantic import JsonValue

from approval_api.reports.view.blocks import Text, Told, in_a_row, text

_KIB = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


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
    power = 0
    while abs(value) >= _KIB and power < len(_UNITS) - 1:
        value /= _KIB
        power += 1
    figure = f"{value:,.1f}" if power else f"{value:,.0f}"
    return f"{'at least ' if at_least else ''}{figure} {_UNITS[power]}"


def seconds(value: float | None) -> str:
    """Return a duration: `4.2 s`, `12 min 3 s`, `3 h 5 min`; an ellipsis for what still lasts."""
    if value is None:
        return "…"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def times(number: int, noun: str) -> str:
    """Return `1 target`, `2 targets`, `no target`."""
    if number == 0:
        return f"no {noun}"
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def data(told: dict[str, JsonValue]) -> Text:
    """Return what was told of a thing, name by name."""
    words = ", ".join(f"{name}: {plain(value)}" for name, value in sorted(told.items()))
    return text(Told(words)) if words else text()


def value(told: JsonValue) -> Text:
    """Return one value; a list as its parts."""
    if isinstance(told, list):
        return text(Told(", ".join(map(plain, told))))
    return text(Told(plain(told)))


def plain(told: JsonValue) -> str:
    """Return a value as text, and what is no text as JSON."""
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, sort_keys=True)


def names(told: tuple[str, ...], nobody: str = "") -> Text:
    """Return names in a row."""
    return in_a_row(((Told(name),) for name in told), len(told), ", ") if told else text(nobody)
