"""Makes hostile text storable: PostgreSQL stores no U+0000, JSON no infinities, UTF-8 no lone surrogates."""

import math
import re

from pydantic import JsonValue

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    r"""Return `text` with U+0000 and lone surrogates shown as U+2400 and U+FFFD.

    >>> storable_text("a\x00b")
    'a␀b'
    """
    if text.isascii() and "\x00" not in text:  # as nearly all are; the search takes far longer
        return text
    return _UNSTORABLE.sub(lambda found: "\u2400" if found[0] == "\x00" else "\ufffd", text)


def storable(value: JsonValue) -> JsonValue:
    """Return `value` with all its texts, names included, made storable, and infinities replaced by None."""
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return None
        case list():
            return [storable(item) for item in value]
        case dict():
            return {storable_text(name): storable(item) for name, item in value.items()}
        case _:
            return value
