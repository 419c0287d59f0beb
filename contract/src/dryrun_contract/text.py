"""Makes text of collectors and targets, which is hostile input, safe to show; and puts numbers into words."""

import unicodedata

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, formats (bidirectional marks among them), surrogates, private, unassigned, line separators."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def printable(text: str, *, limit: int = 200) -> str:
    r"""Return `text` with every character that could steer a terminal, a page or a spreadsheet made visible.

    Control, format and unassigned characters become `\xNN` or `\uNNNN`; at most `limit` characters are
    returned, and an ellipsis after them marks a cut.

    >>> printable("ok \x1b[31mred")
    'ok \\x1b[31mred'
    """
    whole = text[:limit]
    if whole.isprintable():  # stricter than below: no separator but the space either
        return whole if len(text) <= limit else f"{whole}…"
    shown: list[str] = []
    left = limit
    for character in text[: limit + 1]:
        piece = character
        if unicodedata.category(character) in _UNSAFE_CATEGORIES:
            point = ord(character)
            piece = f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
        left -= len(piece)
        if left < 0:
            return "".join(shown) + "…"
        shown.append(piece)
    return "".join(shown)


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "host"), counted(2000, "class", "classes")
    ('1 host', '2,000 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def byte_count(count: float) -> str:
    """Return a number of bytes in the unit that suits it.

    >>> [byte_count(count) for count in (0, 1023, 2048, 1_048_575, 5_500_000)]
    ['0 B', '1023 B', '2.0 KiB', '1.0 MiB', '5.2 MiB']
    """
    power = 0
    # Rounded as it is shown: never 1024.0 of a unit.
    while round(count, 1) >= 1024 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.1f} {_UNITS[power]}" if power else f"{count:.0f} B"


def about(value: float) -> str:
    """Return how many of something are expected, with a decimal where it matters.

    >>> about(12.0), about(7.25), about(1234.5)
    ('12', '7.2', '1,234')
    """
    return f"{value:,.0f}" if abs(value - round(value)) < 0.05 or value >= 100 else f"{value:,.1f}"
