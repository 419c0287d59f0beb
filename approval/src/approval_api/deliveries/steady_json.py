"""Discoveries as JSON that is safe to show to people."""

import json

from pydantic import JsonValue

from dryrun_contract.text import printable


def steady_json(value: JsonValue) -> str:
    r"""Return `value` as JSON in which no character steers whoever looks at it.

    Those that `printable` shows are JSON's own escapes here: who parses it gets them as they were.

    >>> steady_json({"product": "\u202egpj.exe"})
    '{"product": "\\u202egpj.exe"}'
    """
    return "".join(map(_steady, json.dumps(value, ensure_ascii=False)))


def _steady(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    point = ord(character)
    if printable(character) == character:
        return character
    # Beyond the 16 bits of an escape it takes two of them.
    return json.dumps(character)[1:-1] if point > 0xFFFF else f"\\u{point:04x}"
